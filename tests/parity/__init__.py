"""Fused functions against NumPy: everything about a result must be equal."""
