"""Reads and writes text files: JSON with positions and style, and YAML with positions."""
