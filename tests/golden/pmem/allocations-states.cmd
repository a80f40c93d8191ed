pmem
allocations
--facts
../data/facts/pmem.json
--facts
../data/facts/pmem-claim-states.json
