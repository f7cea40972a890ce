"""Benchmarks for `make bench`. They are separate from the tests, which never assert a duration."""
