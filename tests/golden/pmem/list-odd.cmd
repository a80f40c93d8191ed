pmem
--facts
../data/facts/pmem-odd.json
list
