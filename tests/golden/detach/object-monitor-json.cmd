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
{"qom-type": "monitor-hmp", "id": "m", "chardev": "q"}
