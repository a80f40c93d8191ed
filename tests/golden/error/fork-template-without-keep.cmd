fork
web
base
