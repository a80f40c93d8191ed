pmem
--facts
../data/facts/pmem-nova.json
--pool
a-b:ns_0,a.b:ns_1
inventory
