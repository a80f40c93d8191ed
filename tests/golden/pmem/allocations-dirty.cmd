pmem
--facts
../data/facts/pmem.json
--facts
../data/facts/pmem-dirty.json
allocations
