"""Paints with trained styles: one picture, many files, many machines, a sheet."""
