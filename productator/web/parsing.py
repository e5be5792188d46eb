"""Reads what people typed into forms: texts, prices and numbers, with a sentence for each wrong field."""

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import current_app, request
from pydantic import ValidationError

from productator.catalogue.validation import Location, ProductIn, wrong_fields
from productator.catalogue.versions import Expected
from productator.domain import MAX_AMOUNT, MAX_ID, NewProduct, OwnOffer
from productator.web import formats

# Each character fits one part only: else a long field of zeros would take minutes.
_AMOUNT = re.compile(r"([-\u2212]?)([0-9]+)(?:[.,]([0-9]+))?")
_MOST_DIGITS = 16
_SPACES = re.compile(r"[\s\u00a0\u202f']")
# What to enter where a validator's own sentence is for programs; by its type, then by the field.
_SENTENCES = {
    "string_too_short": "Fill in this field.",
    "string_too_long": "Must have at most {max_length} characters.",
    "greater_than": "Must be more than {gt:g}.",
    "greater_than_equal": "Must be {ge:g} or more.",
    "less_than_equal": "Must be {le:g} or less.",
    "literal_error": "Choose one of the list.",
    "enum": "Choose one of the list.",
    "is_instance_of": "Choose one of the list.",
}
_OF_FIELD = {
    "begin": "Enter a time such as 22:00.",
    "end": "Enter a time such as 07:00.",
    "time_zone": "Enter a time zone such as Europe/Prague.",
    "secret": "Must have neither spaces nor accented letters.",
    "cooldown_s": "Must be 8784 hours or less, which is a year.",
}


def wrong_in_form(error: ValidationError) -> list[tuple[Location, str]]:
    """The location of each wrong value, and a sentence that says what to enter."""
    details = error.errors(include_url=False, include_input=False)
    return [
        (
            location,
            _sentence(each["type"], str(location[-1]) if location else "", each.get("ctx", {})) or sentence,
        )
        for each, (location, sentence) in zip(details, wrong_fields(error), strict=True)
    ]


def _sentence(kind: str, name: str, context: dict[str, Any]) -> str | None:
    if kind in {"string_pattern_mismatch", "less_than_equal"} and name in _OF_FIELD:
        return _OF_FIELD[name]
    return _SENTENCES[kind].format(**context) if kind in _SENTENCES else None


def id_of(text: str) -> int | None:
    """The id that a form or an address names; None: it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID))
    return int(text) if is_number and 0 < int(text) <= MAX_ID else None


@dataclass
class Form:
    """The fields as they were typed, and what is wrong with them."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    _has_focus: bool = False

    @classmethod
    def sent(cls) -> "Form":
        # Browsers send line breaks of a text as CRLF.
        return cls({name: text.replace("\r\n", "\n") for name, text in request.form.items()})

    def takes_focus(self, name: str) -> bool:
        """Whether the field is wrong, and the first such one that the page shows."""
        is_first = name in self.errors and not self._has_focus
        self._has_focus = self._has_focus or is_first
        return is_first

    def get(self, name: str) -> str:
        return self.values.get(name, "")

    @property
    def expected(self) -> Expected:
        """The version that the form was filled with."""
        version = self.get("version")
        return Expected(frozenset({int(version)} if re.fullmatch("[0-9]{1,18}", version) else ()))

    def product(self) -> NewProduct | None:
        """None: something is wrong."""
        given = {"name": self.get("name").strip(), "description": self.get("description")}
        try:
            return ProductIn.model_validate(given).new_product()
        except ValidationError as error:
            self.errors |= {str(location[0]): sentence for location, sentence in wrong_in_form(error)}
        return None

    def own_offer(self) -> OwnOffer | None:
        """None: something is wrong."""
        decimals = current_app.config["PRICE_DECIMALS"]
        price, items = self._amount("price", decimals), self._amount("items_in_stock", 0)
        if price is None or items is None:
            return None
        return OwnOffer(price, items)

    def price(self, name: str) -> int | None:
        """In the smallest unit; None: it is wrong."""
        return self._amount(name, current_app.config["PRICE_DECIMALS"])

    def number(self, name: str, *, decimals: int = 0) -> Decimal | None:
        """None: it is left out, or wrong, and then there is an error."""
        if not self.get(name).strip():
            return None
        amount = self._amount(name, decimals)
        return None if amount is None else Decimal(amount).scaleb(-decimals)

    def _amount(self, name: str, decimals: int) -> int | None:
        text = formats.without_thousands(_SPACES.sub("", self.get(name)), decimals=decimals)
        sign, whole, fraction = found.groups("") if (found := _AMOUNT.fullmatch(text)) else ("", "", "")
        fraction = fraction.rstrip("0")
        if not text:
            wrong = "Enter a number."
        elif not whole:
            wrong = "Must be a number in digits." if decimals else "Must be a whole number in digits."
        elif sign:
            wrong = "Must be 0 or more."
        elif len(fraction) > decimals:
            wrong = f"Must have at most {decimals} decimals." if decimals else "Must be a whole number."
        else:
            digits = (whole + fraction.ljust(decimals, "0")).lstrip("0") or "0"
            if len(digits) <= _MOST_DIGITS and int(digits) <= MAX_AMOUNT:
                return int(digits)
            wrong = f"Is too large: enter at most {formats.number(MAX_AMOUNT // 10**decimals)}."
        self.errors[name] = wrong
        return None
