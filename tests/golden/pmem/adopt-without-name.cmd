pmem
adopt
