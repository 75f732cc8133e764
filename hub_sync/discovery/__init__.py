"""Finding datasets: search, agents, catalogue, portal, collections and exports."""
