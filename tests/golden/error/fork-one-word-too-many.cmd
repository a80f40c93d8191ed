fork
--keep
web
base
more
