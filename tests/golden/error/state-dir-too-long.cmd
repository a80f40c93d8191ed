# facts: qemu-7.2.json qemu-10.0.json
run
--dry-run
--facts
../data/facts/world.json
--facts
@FACTS@
--state-dir
/run/dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd
-M
q35
-m
1g
