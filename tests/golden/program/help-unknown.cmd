help
prob
