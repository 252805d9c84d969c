"""pyfuse."""
