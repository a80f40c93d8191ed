help
clone
