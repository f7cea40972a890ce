"""What runs in the emulator's process beside ministack: permissions that AWS asks for and ministack does not, and its pace.

Each module replaces a function of ministack, whose release is locked with its hash. Should another release have other
insides, the emulator does not start.
"""
