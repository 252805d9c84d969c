"""Tests of what functions and methods mean on values, by graphs that the slow evaluator runs."""
