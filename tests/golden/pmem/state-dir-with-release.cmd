pmem
release
--state-dir
/s
web
