# A monitor of any kind takes the default one away; the object came with QEMU 11.1.
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
-chardev
socket,id=q,path=q.sock,server=on,wait=off
-object
monitor-qmp,id=m,chardev=q
