# facts: qemu-7.2.json qemu-10.0.json qemu-11.1.json
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
-serial
mon:unix:serial.sock,server=on,wait=off
