"""The local cloud: runs the stack on this machine, in an AWS emulator and stand-ins for the services it lacks."""
