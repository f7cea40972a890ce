"""Toolkit for Amazon Connect flows: parsing, lint rules, tracking, simulation and diagrams."""
