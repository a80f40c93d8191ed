# the vPMEM document's tables
pmem
--facts
../data/facts/pmem.json
--facts
../data/facts/pmem-used.json
allocations
