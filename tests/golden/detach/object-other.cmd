# facts: qemu-11.1.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
--detach
-nographic
-object
rng-builtin,id=r
