"""Pulumi components that record where callers stop in the menus of an Amazon Connect instance."""
