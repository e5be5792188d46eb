"""How a setting is declared: as a dataclass field that carries everything there is to know about it."""

from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

Value = TypeVar("Value")

_METADATA_KEY = "setting"
_REQUIRED: Any = object()


@dataclass(frozen=True)
class Setting:
    """One setting: its place in the file, its environment variable, and the values it takes."""

    section: str
    key: str
    variable: str
    # Raises ValueError with what the value must be.
    parse: Callable[[str], Any]
    # For the documents: a sentence or two of Markdown.
    meaning: str
    # As it is written in the file.
    default: str
    # The value where the file leaves the setting empty.
    empty: Any
    secret: bool
    # An address: shown without its password, and nowhere where that cannot be found.
    may_hold_password: bool

    @property
    def is_required(self) -> bool:
        return self.empty is _REQUIRED


def setting(
    place: str,
    variable: str,
    parse: Callable[[str], Value],
    meaning: str,
    *,
    default: str = "",
    empty: Value = _REQUIRED,
    secret: bool = False,
    may_hold_password: bool = False,
) -> Value:
    """Declares a dataclass field as a setting; `place` is "section.key".

    Without `empty`, a file must give a value. `repr` shows no secret and no password.
    """
    section, key = place.split(".")
    declared = Setting(section, key, variable, parse, meaning, default, empty, secret, may_hold_password)
    value = parse(default) if default or declared.is_required else empty
    return field(default=value, repr=not (secret or may_hold_password), metadata={_METADATA_KEY: declared})


def declared_in(settings: type) -> dict[str, Setting]:
    """All settings of a dataclass, by the name of their field."""
    return {each.name: each.metadata[_METADATA_KEY] for each in fields(settings)}
