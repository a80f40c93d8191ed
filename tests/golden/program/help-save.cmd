help
save
