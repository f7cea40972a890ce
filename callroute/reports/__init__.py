"""Reads call records and summarizes them in reports."""
