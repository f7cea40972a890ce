"""AWS resources as Pulumi components, and the settings of a stack."""
