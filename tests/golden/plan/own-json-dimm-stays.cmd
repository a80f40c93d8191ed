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
1g,slots=1,maxmem=4g
-object
{"qom-type":"memory-backend-ram","id":"d","size":1073741824}
-device
{"driver":"pc-dimm","memdev":"d"}
-mem-path
/mem,mode=create,anyfs
