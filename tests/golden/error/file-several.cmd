# facts: qemu-7.2.json qemu-10.0.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
@FACTS@
-m
2g
-numa
node,mem=1g
-numa
node,mem=1g
-mem-path
/nodes,mode=open,mmap=private
