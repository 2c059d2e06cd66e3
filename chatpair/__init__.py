"""A switchboard for text: two parties talk over one private line."""

__version__ = "0.1.0"
