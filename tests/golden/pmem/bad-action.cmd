pmem
--facts
../data/facts/pmem.json
scrubb
