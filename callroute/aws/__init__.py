"""What AWS is told, as pure functions from plain values to JSON values: state machine, permissions, pipe.

Nothing here imports Pulumi, so that each document can be read, linted and run in an interpreter on its own.
"""
