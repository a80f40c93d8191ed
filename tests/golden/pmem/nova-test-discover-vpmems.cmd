# nova: three namespaces, labels 4GB:ns_0 and SMALL:ns_1|ns_2
pmem
--facts
../data/facts/pmem-nova.json
inventory
