pmem
--facts
../data/facts/pmem-nova.json
--pool

inventory
