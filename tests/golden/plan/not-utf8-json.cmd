# Arguments and paths are any bytes; JSON has an object for those that are not UTF-8.
# facts: qemu-7.2.json
run
--dry-run
--json
--state-dir
/run/café
--facts
../data/facts/world.json
--facts
@FACTS@
-M
q35
-m
1g
-mem-path
/mem,mode=create,mmap=shared,anyfs
-kernel
cafÃ© ğŸ¯
-append
café
-D
/tmp/ÿ,x
