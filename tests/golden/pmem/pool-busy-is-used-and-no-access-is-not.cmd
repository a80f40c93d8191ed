pmem
--facts
../data/facts/pmem-odd.json
--pool
X:fine|busy|shut
inventory
