"""The settings file of the client: what a user would else say on every command line."""

import tomllib
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from msgspec import Meta, ValidationError, convert
from platformdirs import user_config_path


class Kind(NamedTuple):
    """What a setting may be: a type that msgspec checks, and the same in words."""

    type: Any
    words: str


PORT = Kind(Annotated[int, Meta(ge=1, le=65_535)], "a number from 1 to 65535")
HOST = Kind(Annotated[str, Meta(pattern=r"\S")], 'the name or address of a server, as "localhost"')
_FILE = Kind(Annotated[str, Meta(pattern=r"\S")], 'the path of a file in quotes, as "ca.pem"')
_NAME = Kind(str, 'a text in quotes, as "alice"')
_SWITCH = Kind(bool, "true or false")

KINDS = {
    "host": HOST,
    "port": PORT,
    "tls": _SWITCH,
    "ca": _FILE,
    "name": _NAME,
    "plain": _SWITCH,
    "color": _SWITCH,
    "bell": _SWITCH,
}


class SettingsError(ValueError):
    """The settings file can't be used; the text is one line that names it and says why."""


def settings_path() -> Path | None:
    """Return where the settings are, whether they exist or not; None for who has no home."""
    try:
        return user_config_path("chatpair") / "settings.toml"
    except RuntimeError:  # a user of no account, as in a container, and no HOME either
        return None


def read_settings() -> dict[str, Any]:
    """Return the settings that the file has, each of the type that KINDS gives.

    Raises SettingsError.
    """
    path = settings_path()
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            settings = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{path}: this is not UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: this is not TOML: {error}") from None
    for key, value in settings.items():
        if key not in KINDS:
            known = ", ".join(KINDS)
            raise SettingsError(f"{path}: there is no setting {key!r}; there are {known}")
        try:
            settings[key] = convert(value, KINDS[key].type)
        except ValidationError:
            raise SettingsError(f"{path}: {key} must be {KINDS[key].words}") from None
    return settings
