clone
-n
0
base
