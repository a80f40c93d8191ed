help
stop
