"""Measurements that `make bench` runs. They are not tests, and no test asserts a duration."""
