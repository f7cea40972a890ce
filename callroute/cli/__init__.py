"""The commands of `python -m callroute`, one module each."""
