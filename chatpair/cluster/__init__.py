"""Several nodes that are one switchboard."""
