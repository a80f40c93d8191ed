# nova: ns_0 under two labels
pmem
--facts
../data/facts/pmem-nova.json
--pool
4GB:ns_0,SMALL:ns_0
inventory
