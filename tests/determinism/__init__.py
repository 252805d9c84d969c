"""Tests that texts are the same in every process."""
