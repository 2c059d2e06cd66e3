"""What the lines of a connection mean, in either dialect."""
