# facts: qemu-old.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
-M
pc
-m
1g
-mem-path
/full,anyfs,merge=on
