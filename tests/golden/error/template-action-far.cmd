template
destroy
