"""Reports on the call records."""
