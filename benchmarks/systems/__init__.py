"""How each other system is given the workloads; a module is imported only where its system is installed."""
