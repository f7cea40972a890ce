"""Pulumi components that record where callers leave the menus of an Amazon Connect instance."""

from .config import load_config
from .options import CallRouteTrackerArgs, ContactFlowArgs
from .tracker import CallRouteTracker

__all__ = ["CallRouteTracker", "CallRouteTrackerArgs", "ContactFlowArgs", "load_config"]
