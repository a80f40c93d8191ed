# facts: qemu-7.2.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
--facts
../data/facts/refusal.json
-m
1g
