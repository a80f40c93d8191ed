pmem
--facts
../data/facts/pmem-nova.json
--pool
4GB:
inventory
