pmem
--facts
../data/facts/pmem-nova.json
--pool
4GB:ns_0,X:24ffd5e4-2b39-4f28-88b3-d6dc1ec44863
inventory
