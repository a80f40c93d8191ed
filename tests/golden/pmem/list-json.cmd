pmem
--facts
../data/facts/pmem.json
--json
list
