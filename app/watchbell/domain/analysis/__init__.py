"""What numbers of runs tell: pure arithmetic over values in the order of time, with no idea of where they come from."""
