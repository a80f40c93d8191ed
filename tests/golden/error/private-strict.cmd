# facts: qemu-7.2.json qemu-10.0.json
run
--dry-run
--state-dir
/run/exomem
--facts
../data/facts/world.json
--facts
../data/facts/strict.json
--facts
@FACTS@
-m
10g
-mem-path
/mem,mode=create,mmap=private
