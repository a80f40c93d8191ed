fork
-n
0
web
