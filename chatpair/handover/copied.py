"""How the parts of a snapshot are copied from what they are parts of, and back."""

from typing import Any, ClassVar, Self


class Copied:
    """A structure, most fields of which are copies of something's attributes.

    A field is called as the attribute that it is a copy of, without the underscore of one that
    nobody else is to know.
    """

    __slots__ = ()
    __struct_fields__: ClassVar[tuple[str, ...]]

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
