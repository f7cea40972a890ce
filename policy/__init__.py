"""The CrossGuard policy pack: what no change to this system may widen, weaken or make lossy."""
