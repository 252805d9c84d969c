"""Programs as their users write them, with ``@pyfuse.fuse`` on their functions; ``python -m examples`` times them."""
