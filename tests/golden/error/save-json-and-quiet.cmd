save
--json
--quiet
web
