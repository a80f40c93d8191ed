clone
-n
1000000
base
