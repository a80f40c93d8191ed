pmem
list
--forget
