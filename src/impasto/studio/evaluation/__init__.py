"""The results of a training, in numbers."""
