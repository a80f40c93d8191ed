clone
--prefech
base
