"""Loop plans run over tiles by NumPy's own inner loops, without a compiler."""
