pmem
--facts
../data/facts/pmem.json
-q
list
