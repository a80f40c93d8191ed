help
template
