# facts: qemu-7.2.json qemu-10.0.json qemu-11.1.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
--name
web
-M
q35
-m
1g
-chardev
socket,id=c,path=@{dir}/c.sock
-netdev
user,id=n,hostfwd=tcp::@{index+2200}-:22
-uuid
@{uuid}
-append
@{name} @{index} @@{x}
@{name}.qcow2
