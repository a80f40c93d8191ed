pmem
--facts
../data/facts/pmem-nova.json
--pool
a/b:ns_0
inventory
