# facts: qemu-7.2.json qemu-10.0.json
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
/mode-666,mode=create
