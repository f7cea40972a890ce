"""Tasks of the person on call: redrive failed records, and check a deployed stack."""
