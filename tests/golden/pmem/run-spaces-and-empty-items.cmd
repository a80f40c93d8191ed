run
--dry-run
--state-dir
/run/exomem
--claims
/var/lib/exomem/pmem
--name
web
--facts
../data/facts/world.json
--facts
../data/facts/qemu-7.2.json
--facts
../data/facts/pmem.json
--pmem
 6GB , ,LARGE,
-m
1G
