clone
--json
base
