"""The live view of `callroute serve`: a softphone, the flow, call records and drop-off in a browser."""
