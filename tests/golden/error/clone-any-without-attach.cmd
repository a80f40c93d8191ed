clone
--any
base
