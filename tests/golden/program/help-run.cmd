help
run
