"""Patches for ministack, applied in the emulator's process.

They add permission checks that AWS makes but ministack does not, and remove delays. They replace internal ministack
functions, so the emulator does not start with a release in which these functions differ.
"""
