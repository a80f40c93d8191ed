template
lst
