"""Python to graph."""
