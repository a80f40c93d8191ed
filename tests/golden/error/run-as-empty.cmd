run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
../data/facts/qemu-7.2.json
--run-as

-m
1g
