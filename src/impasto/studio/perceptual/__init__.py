"""Loss networks, and losses of pictures."""
