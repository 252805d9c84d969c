"""Loop plans to kernels: text, built library, loaded function."""
