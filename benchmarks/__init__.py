"""Measurements of speed, each behind a check of the answer (run: ``python -m pytest benchmarks``)."""

import os

os.environ.setdefault("PYFUSE_WAIT", "1")  # kernels are measured, not what answers while they are built
