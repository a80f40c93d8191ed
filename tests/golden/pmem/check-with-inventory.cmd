pmem
--facts
../data/facts/pmem.json
--check
inventory
