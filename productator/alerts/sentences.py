"""Rules as sentences for people. Pure."""

from collections.abc import Callable, Sequence
from typing import Protocol
from unicodedata import bidirectional

from productator.alerts.firing import Kind

# By the Unicode Bidirectional Algorithm: letters written from the right, and marks that set an order.
_FROM_THE_RIGHT = frozenset({"R", "AL", "AN"})
_MARKS = frozenset({"RLE", "RLO", "RLI", "LRE", "LRO", "LRI", "FSI", "PDF", "PDI"})


class Rule(Protocol):
    """The fields of a rule that its sentence tells."""

    @property
    def kind(self) -> str: ...
    @property
    def product_id(self) -> int | None: ...
    @property
    def q(self) -> str | None: ...
    @property
    def price(self) -> int | None: ...
    @property
    def percent(self) -> float | None: ...
    @property
    def days(self) -> int | None: ...


def isolated(name: str) -> str:
    """The name; one that is written from the right is put between marks, so that it turns nothing else.

    Marks of its own are left out: they could end what it is put between.
    """
    name = "".join(each for each in name if bidirectional(each) not in _MARKS)
    if _FROM_THE_RIGHT.isdisjoint(map(bidirectional, name)):
        return name
    return f"\N{FIRST STRONG ISOLATE}{name}\N{POP DIRECTIONAL ISOLATE}"


def plain_amount(price: int) -> str:
    return f"{price:,}"


def decimal_amount(price: int, decimals: int) -> str:
    """Such as 1,234.50: prices are whole numbers of the smallest unit."""
    whole, rest = divmod(price, 10**decimals)
    return f"{whole:,}.{rest:0{decimals}d}" if decimals else plain_amount(price)


def sentence(
    rule: Rule,
    *,
    product: str | None,
    channels: Sequence[str],
    amount: Callable[[int], str] = plain_amount,
) -> str:
    """Such as: Tell Ops when Hand mill is at or below 4,990. `amount` writes its price."""
    whom = _listed([isolated(each) for each in channels]) if channels else "nobody yet"
    return f"Tell {whom} when {_subject(rule, product)} {_condition(rule, amount)}."


def with_amount(sentence: str, price: int, amount: str) -> str:
    """The plain sentence of a threshold with its price written otherwise; others have no price."""
    end = _CONDITIONS[Kind.THRESHOLD].format(price=plain_amount(price)) + "."
    if not sentence.endswith(end):
        return sentence
    return f"{sentence.removesuffix(end)}{_CONDITIONS[Kind.THRESHOLD].format(price=amount)}."


def now_sentence(price: int | None) -> str:
    return "Now nothing is in stock." if price is None else f"Now {plain_amount(price)}."


def _subject(rule: Rule, product: str | None) -> str:
    if rule.kind == Kind.SERVICE:
        return "the Offers service"
    if rule.product_id is not None:
        return isolated(product) if product else f"product {rule.product_id}"
    return "any product" if rule.q is None else f"any product found by “{isolated(rule.q)}”"


def _condition(rule: Rule, amount: Callable[[int], str]) -> str:
    return _CONDITIONS[Kind(rule.kind)].format(
        price=amount(rule.price or 0),
        percent=f"{rule.percent or 0:g}",
        of_days=f" of {rule.days} days" if rule.days else "",
    )


_CONDITIONS = {
    Kind.THRESHOLD: "is at or below {price}",
    Kind.DROP: "falls by {percent} % below its lowest price of 30 days",
    Kind.RISE: "rises by {percent} % above its lowest price of 30 days",
    Kind.NEW_LOW: "is at a new low{of_days}",
    Kind.BACK_IN_STOCK: "is back in stock",
    Kind.OUT_OF_STOCK: "is out of stock",
    Kind.STALE: "has not been refreshed for three periods",
    Kind.FAILING: "could not be refreshed three times in a row",
    Kind.SERVICE: "goes down or comes up again",
}


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last
