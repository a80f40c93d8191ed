# facts: qemu-7.2.json qemu-10.0.json qemu-11.1.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
-m
1g
-mem-path
/old,mode=open,mmap=shared,anyfs
-incoming
exec:cat /states/all-by-child
