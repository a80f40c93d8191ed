# nova: accepted, class CUSTOM_PMEM_NAMESPACE_
pmem
--facts
../data/facts/pmem-nova.json
--pool
:ns_0
inventory
