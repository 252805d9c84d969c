"""Real NumPy programs that show what fusing does for them (run: ``python -m pyfuse demo``)."""
