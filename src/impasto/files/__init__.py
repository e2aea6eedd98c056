"""Files by their names: kinds, inputs found, outputs named, places, and writing whole or not."""
