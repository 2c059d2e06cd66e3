"""The bytes of a connection: lines, telnet, and how an end is noticed."""
