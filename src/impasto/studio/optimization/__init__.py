"""Paints by moving the pixels themselves."""
