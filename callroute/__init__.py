"""Everything of the call route tracker that is not an AWS resource: flows, the local cloud, reports, commands."""
