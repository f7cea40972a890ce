"""The live view of `callroute serve`, which shows a softphone, the flow, call records and drop-off in a browser."""
