pmem
--facts
../data/facts/pmem.json
--facts
../data/facts/pmem-used.json
list
