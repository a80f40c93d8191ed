# Pressure alone begins a state; where the kernel does not tell it, it begins none.
balance
--replay
balance/pressure.samples
