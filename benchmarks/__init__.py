"""Measurements of speed, each behind a check of the answer (run: ``python -m pytest benchmarks``)."""
