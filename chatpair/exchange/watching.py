"""What connections, and those who wait for them, may ask the kernel."""

from typing import Protocol


class Watching(Protocol):
    """What asks the kernel about a connection."""

    def look(self) -> None:
        """Look whether all that it was told has arrived."""

    def is_all_delivered(self) -> bool:
        """Tell whether the kernel knows that the other end has all that it was given."""

    def has_unread(self) -> bool:
        """Tell whether the other end has said something that was not read yet."""
