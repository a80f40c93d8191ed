clone
base
other
