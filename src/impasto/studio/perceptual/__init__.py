"""Loss networks, and what they say of two pictures."""
