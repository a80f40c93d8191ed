list
-q
--json
