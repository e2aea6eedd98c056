"""What came of a training, in numbers."""
