"""What docs/protocol.rst says, tried on any server from outside; it knows nothing of ours."""
