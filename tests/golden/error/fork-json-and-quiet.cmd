fork
--json
--quiet
web
