# facts: qemu-7.2.json qemu-10.0.json qemu-11.1.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
-M
q35
-m
1g
-mem-path
/templates,mode=open,mmap=private,anyfs
-drive
file=/d.img,if=none,aio=io_uring
