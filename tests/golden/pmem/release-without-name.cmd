pmem
release
