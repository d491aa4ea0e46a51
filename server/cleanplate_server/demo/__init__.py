"""A shot of our own making with a known answer, and how near a result comes to it."""
