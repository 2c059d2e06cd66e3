"""Names and pairs across nodes, on a Valkey or Redis that they share."""
