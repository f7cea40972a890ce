"""Tests, in folders that mirror the packages of the program."""
