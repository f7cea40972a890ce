"""Builds the JSON documents sent to AWS: state machine definition, IAM policies, pipe filter and input template."""
