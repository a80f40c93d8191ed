# facts: qemu-7.2.json qemu-10.0.json qemu-11.1.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
-m
3g
-numa
node,nodeid=1,mem=1g
-numa
type=node,nodeid=0,mem=2g
-mem-path
/mem,mode=create,anyfs
