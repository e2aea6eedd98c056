"""Loss experiments side by side, on the optimiser, before a training is paid for."""
