"""The version of pyfuse."""

VERSION = "0.1.0"
