run
--dry-run
--state-dir
/run/exomem
--qemu
/nonexistent/qemu
-m
1g
