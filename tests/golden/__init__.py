"""Golden files: the registered resources, the command output and the deployment role documents, as they are today."""
