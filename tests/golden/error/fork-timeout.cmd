fork
--timeout
soon
web
