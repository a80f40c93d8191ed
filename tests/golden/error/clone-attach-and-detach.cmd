clone
--attach
--detach
base
