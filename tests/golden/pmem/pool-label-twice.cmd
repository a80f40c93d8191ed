pmem
--facts
../data/facts/pmem-nova.json
--pool
SMALL:ns_1,4GB:ns_0,SMALL:ns_2
inventory
