"""The CPU backend: C text, the system compiler, cffi."""
