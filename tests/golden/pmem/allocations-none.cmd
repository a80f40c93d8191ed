pmem
--facts
../data/facts/pmem.json
allocations
