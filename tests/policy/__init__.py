"""The policy pack, as the engine runs it."""
