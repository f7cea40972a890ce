"""The stack on this machine: the emulator, what is made in it, and the parts of AWS that it lacks."""
