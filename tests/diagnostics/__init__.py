"""Tests of what a user is told when something does not fuse."""
