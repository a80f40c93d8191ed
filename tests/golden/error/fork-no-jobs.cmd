fork
--jobs
0
web
