pmem
