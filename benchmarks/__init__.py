"""The measurements of `make bench`. They are not tests, and no test asserts a time."""
