"""What the parts of a snapshot have in common."""

from typing import Any, Self

from msgspec import Struct


class Part(Struct, omit_defaults=True):
    """Something that a snapshot has.

    A field is called as the attribute that it is a copy of, without the underscore of one that
    nobody else is to know.
    """

    @classmethod
    def of(cls, thing: object, **others: Any) -> Self:
        """Return what something has, but for fields that are given."""
        names = [name for name in cls.__struct_fields__ if name not in others]
        return cls(**others, **{name: getattr(thing, _attribute(thing, name)) for name in names})

    def copy_to(self, thing: object, *others: str) -> None:
        """Let something have the same, but for other fields."""
        for name in self.__struct_fields__:
            if name not in others:
                setattr(thing, _attribute(thing, name), getattr(self, name))


def _attribute(thing: object, name: str) -> str:
    return name if hasattr(thing, name) else f"_{name}"
