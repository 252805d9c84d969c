"""Tests of the graph, its passes and the loop plan."""
