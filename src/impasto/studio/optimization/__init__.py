"""Painting by moving the pixels themselves."""
