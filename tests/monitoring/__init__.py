"""What watches the server."""
