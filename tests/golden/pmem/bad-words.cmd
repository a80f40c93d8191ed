pmem
--facts
../data/facts/pmem.json
list
x
