template
list
base
