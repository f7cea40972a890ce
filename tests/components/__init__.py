"""Tests of the components, and the engine that they run in."""
