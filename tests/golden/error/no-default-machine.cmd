# facts: qemu-old.json
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
/mem
