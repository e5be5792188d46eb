"""The form of an alert rule: from what people typed to a rule, and back."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from pydantic import ValidationError

from productator.alerts.firing import Kind
from productator.alerts.rules import RuleRow
from productator.alerts.validation import NewRuleIn, contradictions
from productator.web import formats
from productator.web.parsing import Form, id_of, wrong_in_form

_ABOUT = {"product", "search", "all"}
# The choice of each field: the name of its radio buttons, the value, and the label of the button.
_CHOICE_OF = {
    "q": ("about", "search", "any product found by"),
    "price": ("kind", Kind.THRESHOLD, "is at or below"),
    "drop": ("kind", Kind.DROP, "falls by"),
    "rise": ("kind", Kind.RISE, "rises by"),
    "days": ("kind", Kind.NEW_LOW, "is cheaper than ever in the last"),
}
_HOUR_S = 3600
# With so many no two times in seconds look alike.
_HOUR_DECIMALS = 4
_PERCENT_DECIMALS = 6


def new_form(*, product_id: int | None = None) -> Form:
    about = "all" if product_id is None else "product"
    values = {"about": about, "kind": Kind.THRESHOLD, "days": "90", "active": "1"}
    return Form(values | {"cooldown_h": "24", "confirm_periods": "2", "rearm_percent": "2"})


def form_of(rule: RuleRow, channel_ids: Iterable[int]) -> Form:
    """The form as the rule fills it."""
    about = "product" if rule.product_id is not None else "search" if rule.q is not None else "all"
    percent = "" if rule.percent is None else _decimal(rule.percent, _PERCENT_DECIMALS)
    values = {
        "version": str(rule.version),
        "kind": rule.kind,
        "about": about,
        "product_id": _text(rule.product_id),
        "q": rule.q or "",
        "price": "" if rule.price is None else formats.typed_price(rule.price),
        "drop": percent if rule.kind == Kind.DROP else "",
        "rise": percent if rule.kind == Kind.RISE else "",
        "days": _text(rule.days) if rule.kind == Kind.NEW_LOW else "90",
        "cooldown_h": _decimal(rule.cooldown_s / _HOUR_S, _HOUR_DECIMALS),
        "confirm_periods": str(rule.confirm_periods),
        "rearm_percent": _decimal(rule.rearm_percent, _PERCENT_DECIMALS),
        "active": "1" if rule.active else "",
    }
    return Form(values | {f"channel-{each}": "1" for each in channel_ids})


def rule_of(form: Form, *, offered: Iterable[int], stored: RuleRow | None = None) -> NewRuleIn | None:
    """The rule with those of the offered channels that were chosen; None: something is wrong.

    A percentage of the stored rule stays if its field is as `form_of` filled it: it may have more decimals.
    """
    kind, about = form.get("kind"), form.get("about")
    given: dict[str, Any] = {
        "kind": kind,
        "product_id": id_of(form.get("product_id")) if about == "product" else None,
        "q": form.get("q").strip() if about == "search" else None,
        "channel_ids": [each for each in offered if form.get(f"channel-{each}")],
        "active": bool(form.get("active")),
        "confirm_periods": _whole(form.number("confirm_periods")),
        "cooldown_s": _seconds(form.number("cooldown_h", decimals=_HOUR_DECIMALS)),
        "rearm_percent": _percent(form, "rearm_percent", stored and stored.rearm_percent),
    }
    if kind == Kind.SERVICE:
        given |= {"product_id": None, "q": None}
    given = {name: value for name, value in given.items() if value is not None} | _number_of_kind(
        form, kind, stored
    )
    _refuse_unchosen(form, new_form() if stored is None else form_of(stored, ()))
    # Nobody who meant one product shall be told of all.
    if kind != Kind.SERVICE and (about not in _ABOUT or (about == "product" and "product_id" not in given)):
        form.errors["about"] = "Choose which products it is about."
    rule = _validated(form, given)
    return None if form.errors else rule


def refuse(form: Form, errors: Iterable[tuple[str, str]]) -> None:
    """Puts what the catalogue finds wrong (JSON pointers) beside its fields."""
    for pointer, sentence in errors:
        form.errors.setdefault(_field(pointer.split("/")[1], form), sentence)


def _refuse_unchosen(form: Form, filled: Form) -> None:
    """Nothing that was typed is dropped without a word because another button is chosen."""
    for name, (radio, value, label) in _CHOICE_OF.items():
        is_typed = form.get(name).strip() not in {"", filled.get(name).strip()}
        if is_typed and form.get(radio) != value:
            form.errors[name] = f"Choose “{label}”, or empty this field."


def _number_of_kind(form: Form, kind: str, stored: RuleRow | None) -> dict[str, Any]:
    match kind:
        case Kind.THRESHOLD:
            return {"price": form.price("price")}
        case Kind.DROP | Kind.RISE:
            name = "drop" if kind == Kind.DROP else "rise"
            percent = _percent(form, name, stored and stored.percent)
            if percent is None:
                form.errors.setdefault(name, "Enter a number.")
            return {"percent": percent}
        case Kind.NEW_LOW:
            return {"days": _whole(form.number("days"))}
    return {}


def _validated(form: Form, given: dict[str, Any]) -> NewRuleIn | None:
    try:
        rule = NewRuleIn.model_validate(given)
    except ValidationError as error:
        wrong = [("/" + str(location[0]), sentence) for location, sentence in wrong_in_form(error)]
    else:
        wrong = contradictions(rule)
        if not wrong:
            return rule
    refuse(form, wrong)
    return None


def _field(name: str, form: Form) -> str:
    """Where the form shows what is wrong with a rule's field."""
    if name == "percent":
        return "rise" if form.get("kind") == Kind.RISE else "drop"
    if name == "cooldown_s":
        return "cooldown_h"
    return name


def _text(number: int | None) -> str:
    return "" if number is None else str(number)


def _whole(number: Decimal | None) -> int | None:
    return None if number is None else int(number)


def _seconds(hours: Decimal | None) -> int | None:
    return None if hours is None else round(hours * _HOUR_S)


def _percent(form: Form, name: str, stored: float | None) -> float | None:
    if stored is not None and form.get(name).strip() == _decimal(stored, _PERCENT_DECIMALS):
        return stored
    number = form.number(name, decimals=_PERCENT_DECIMALS)
    return None if number is None else float(number)


def _decimal(number: float, decimals: int) -> str:
    return f"{number:.{decimals}f}".rstrip("0").rstrip(".")
