"""The C functions that kernels are made of, as text (see docs/c-library.md)."""
