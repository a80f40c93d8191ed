# nova: the configuration doesn't follow the format
pmem
--facts
../data/facts/pmem-nova.json
--pool
4GB
inventory
