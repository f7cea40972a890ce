"""Call route tracker: a toolkit for Amazon Connect flows, a local cloud, reports and the `callroute` command."""

__version__ = "0.2.0"
