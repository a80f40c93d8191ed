pmem
--facts
../data/facts/pmem-odd.json
--pool
4GB:namespace0.5
inventory
