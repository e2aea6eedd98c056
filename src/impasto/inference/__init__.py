"""Runs networks: read, cut into stages, on the device that works. Loads nothing by itself."""
