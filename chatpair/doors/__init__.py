"""How the bytes of other transports reach a ChatProtocol, a module for each way."""
