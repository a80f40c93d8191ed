pmem
--facts
../data/facts/pmem-odd.json
--pool
4GB:a:b
inventory
