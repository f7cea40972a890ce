"""The tests. Their folders mirror the rooms of the program."""
