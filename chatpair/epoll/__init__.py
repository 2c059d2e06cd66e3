"""The short path of plain TCP: an endpoint of its own."""
