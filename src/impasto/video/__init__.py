"""Films: frames painted steadily, sound and timing kept. No other folder knows PyAV."""
