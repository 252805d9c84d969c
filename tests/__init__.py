"""Tests of pyfuse; some are programs of their own (``python -m tests.parity.fuzz``)."""

import os

# Counters are asserted: no call goes to the original for its speed, and a kernel answers from the first call on. In the
# environment, so that child processes do the same.
os.environ.setdefault("PYFUSE_TRIALS", "0")
os.environ.setdefault("PYFUSE_WAIT", "1")
