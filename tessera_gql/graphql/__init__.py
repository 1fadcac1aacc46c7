"""Show: the graph, its transports and their limits."""
