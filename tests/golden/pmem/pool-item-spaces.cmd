# oslo trims items
pmem
--facts
../data/facts/pmem-nova.json
--pool
  4GB:ns_0 ,  SMALL:ns_1  
inventory
