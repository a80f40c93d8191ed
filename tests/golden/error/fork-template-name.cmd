fork
--keep
web
.hidden
