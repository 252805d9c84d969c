"""Pinned texts of every stage."""
