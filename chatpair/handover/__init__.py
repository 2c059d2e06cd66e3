"""A restart that nobody notices: one process goes on with what another one has begun."""
