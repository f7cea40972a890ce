"""Reading the call records."""
