"""The local cloud: runs a stack on this machine, in an AWS emulator and with replacements for missing services."""
