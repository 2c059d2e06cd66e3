"""What is decided, with no I/O."""
