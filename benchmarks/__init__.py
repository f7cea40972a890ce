"""What `make bench` measures. Nothing here is a test, and no test asserts a time."""
