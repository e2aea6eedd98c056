"""Files: kinds by their names, inputs, outputs, places, and writing whole or not at all."""
