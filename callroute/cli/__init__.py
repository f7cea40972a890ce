"""The `callroute` command line, with one module per command."""
