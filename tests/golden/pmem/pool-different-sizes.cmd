pmem
--facts
../data/facts/pmem-odd.json
--pool
X:fine|big
inventory
