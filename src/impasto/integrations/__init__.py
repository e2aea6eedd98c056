"""impasto inside other programs."""
