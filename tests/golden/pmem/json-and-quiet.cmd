pmem
--facts
../data/facts/pmem.json
--json
-q
list
