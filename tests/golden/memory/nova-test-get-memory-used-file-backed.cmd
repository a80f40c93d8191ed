# facts: qemu-7.2.json
capacity
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
--facts
../data/facts/store.json
--facts
../data/facts/conf-16384.json
--facts
../data/facts/balloons.json
