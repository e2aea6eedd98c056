"""Loss experiments side by side, with the optimiser, before a training takes hours."""
