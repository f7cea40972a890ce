"""The local cloud: runs a stack on this machine, using an AWS emulator and replacements for the services it lacks."""
