"""Narrows a type where a test knows more than the type says."""

from typing import TypeVar

Value = TypeVar("Value")


def existing(value: Value | None) -> Value:
    """The value; fails if it is None."""
    assert value is not None
    return value
