help
fork
