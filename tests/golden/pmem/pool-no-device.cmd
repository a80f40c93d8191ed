pmem
--facts
../data/facts/pmem-odd.json
--pool
X:nodev
inventory
