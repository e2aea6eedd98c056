"""Bytes to pictures and back: the border between the world's files and 8-bit sRGB."""
