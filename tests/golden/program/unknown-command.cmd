rnu
