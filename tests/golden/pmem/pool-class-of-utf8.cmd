pmem
--facts
../data/facts/pmem-nova.json
--pool
größe:ns_0
inventory
