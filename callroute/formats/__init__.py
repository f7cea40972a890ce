"""Reads and writes files, and parses JSON and YAML while recording each value's position."""
