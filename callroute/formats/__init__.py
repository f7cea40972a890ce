"""Reads and writes the text formats of the project: JSON with positions and style, YAML with positions."""
