# nova: ns_3 isn't on host
pmem
--facts
../data/facts/pmem-nova.json
--pool
4GB:ns_0,SMALL:ns_1|ns_3
inventory
