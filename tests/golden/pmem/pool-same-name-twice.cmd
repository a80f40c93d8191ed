pmem
--facts
../data/facts/pmem-nova.json
--pool
4GB:ns_0|ns_0
inventory
