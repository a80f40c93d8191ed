# nova: one class, but the guest then gets nothing
pmem
--facts
../data/facts/pmem-nova.json
--pool
6gb:ns_0,6GB:ns_1
inventory
