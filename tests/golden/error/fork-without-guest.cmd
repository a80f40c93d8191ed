fork
