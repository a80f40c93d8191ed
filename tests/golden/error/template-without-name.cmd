template
show
