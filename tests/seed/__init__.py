"""Acceptance rows inherited from the fuser that pyfuse descends from."""
