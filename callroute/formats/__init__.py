"""Reads and writes files, and parses JSON and YAML with the position of each value."""
