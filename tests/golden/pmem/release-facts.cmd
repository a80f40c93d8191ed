pmem
--facts
../data/facts/pmem.json
release
x
