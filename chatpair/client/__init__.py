"""The client that comes with the server: python -m chatpair.client, or the command chatpair."""
