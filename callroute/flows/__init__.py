"""Parses, checks, tracks, simulates and draws Amazon Connect flows."""
