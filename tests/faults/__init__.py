"""Plays a campaign of faults against the local chain and compares every contact with an independent oracle."""
