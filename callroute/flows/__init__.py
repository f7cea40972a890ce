"""Amazon Connect flows: their model, their routes, and a simulator that plays a caller through one."""
