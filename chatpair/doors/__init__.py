"""Ways in besides a bare connection: how what they carry reaches a ChatProtocol."""
