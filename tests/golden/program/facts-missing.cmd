run
--dry-run
--state-dir
/run/exomem
--facts
/nonexistent.json
-m
1g
