"""Lists of ids in statements that are built once."""

from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, bindparam
from sqlalchemy.engine import Dialect
from sqlalchemy.types import UserDefinedType


class NumberList(UserDefinedType[Iterable[int]]):
    """Whole numbers as one part of the statement.

    As parameters, SQLAlchemy and the driver would look at each of hundreds, for half a microsecond or more.
    """

    cache_ok = True

    def literal_processor(self, dialect: Dialect) -> Callable[[Iterable[int]], str]:  # noqa: ARG002 - the signature of the base class
        return _text


def in_list(column: SQLColumnExpression[Any], name: str) -> ColumnElement[bool]:
    """Whether the column is one of the numbers in the parameter of this name, which may be any iterable."""
    numbers = bindparam(name, type_=NumberList(), literal_execute=True)
    return column.bool_op("IN")(numbers)


def _text(numbers: Iterable[int]) -> str:
    return f"({', '.join([format(number, 'd') for number in numbers]) or 'NULL'})"
