"""Golden files that pin the registered resources, the command output and the deployment role documents."""
