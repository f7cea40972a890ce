"""Patches for ministack, applied in the emulator's process.

They add permission checks that AWS makes and ministack does not, and remove delays. They replace internal functions of
ministack, so the emulator does not start with a release that has different ones.
"""
