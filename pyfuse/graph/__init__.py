"""The middle: a typed graph of array operations, its passes, and the loop plan made of it."""
