"""How commands and events look on the wire, a module for each look."""
