"""Learns styles: one loop for paintings and for other styles."""
