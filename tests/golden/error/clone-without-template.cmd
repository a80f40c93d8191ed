clone
