"""Reads and summarizes the call records."""
