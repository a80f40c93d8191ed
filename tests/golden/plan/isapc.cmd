# facts: qemu-7.2.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
-M
isapc
-m
1g
-mem-path
/mem,mode=create,anyfs
