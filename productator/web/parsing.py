"""Reads what people typed into forms: texts, prices and numbers, with a sentence for each wrong field."""

import re
from dataclasses import dataclass, field
from decimal import Decimal

from flask import current_app, request
from pydantic import ValidationError

from productator.catalogue.validation import ProductIn, wrong_fields
from productator.catalogue.versions import Expected
from productator.domain import MAX_AMOUNT, MAX_ID, NewProduct, OwnOffer
from productator.web import formats

_AMOUNT = re.compile(r"[0-9]{1,16}(?:[.,][0-9]{1,6})?")
_SPACES = re.compile(r"[\s\u00a0\u202f']")


def id_of(text: str) -> int | None:
    """The id that a form or an address names; None: it is none."""
    is_number = text.isascii() and text.isdigit() and len(text) <= len(str(MAX_ID))
    return int(text) if is_number and 0 < int(text) <= MAX_ID else None


@dataclass
class Form:
    """The fields as they were typed, and what is wrong with them."""

    values: dict[str, str] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)

    @classmethod
    def sent(cls) -> "Form":
        # Browsers send line breaks of a text as CRLF.
        return cls({name: text.replace("\r\n", "\n") for name, text in request.form.items()})

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
            self.errors |= {str(location[0]): sentence for location, sentence in wrong_fields(error)}
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
        if _AMOUNT.fullmatch(text):
            amount = Decimal(text.replace(",", ".")).scaleb(decimals)
            if amount == int(amount) and amount <= MAX_AMOUNT:
                return int(amount)
        self.errors[name] = (
            f"Must be a number with up to {decimals} decimals."
            if decimals
            else "Must be a whole number, 0 or more."
        )
        return None
