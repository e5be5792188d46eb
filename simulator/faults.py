"""The fault rules in force, and which of them strikes a call."""

import random
from collections.abc import Callable
from typing import Any

from simulator.answers import ImpossibleError
from simulator.rules import DEFAULTS, KINDS, check_rule

# The client can read the whole market in an answer with one of these.
HARMLESS = frozenset({"latency", "drip", "drip_headers", "extra_fields"})


class Rule:
    """A checked rule and how often it struck; `settings` holds a value for each parameter of its kind."""

    def __init__(self, content: Any) -> None:
        check_rule(content)
        self.content: dict[str, Any] = {name: content[name] for name in content if name != "fired"}
        self.kind: str = content["kind"]
        self.family = KINDS[self.kind].family
        self.fired = 0
        self.settings = {name: content.get(name, DEFAULTS[name]) for name in KINDS[self.kind].parameters}
        self._share: float = content.get("share", 1)
        self._times: int | None = content.get("times")
        self._calls = frozenset(content.get("calls", KINDS[self.kind].calls))
        products = content.get("products")
        self._products = None if products is None else frozenset(str(product) for product in products)

    def strikes(self, call: str, product: str | None, draw: Callable[[], float]) -> bool:
        if call not in self._calls or (self._times is not None and self.fired >= self._times):
            return False
        if self._products is not None and product not in self._products:
            return False
        return self._share >= 1 or draw() < self._share


class Faults:
    """The rules in force; shares are drawn anew from the seed with each replacement."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self.replace([])

    def replace(self, content: Any) -> None:
        if not isinstance(content, list):
            raise ImpossibleError("The body must be a list of fault rules.")
        self._rules = [Rule(rule) for rule in content]
        # Not a secret: a run must be repeatable.
        self._random = random.Random(self._seed)  # noqa: S311

    def listing(self) -> list[dict[str, Any]]:
        return [rule.content | {"fired": rule.fired} for rule in self._rules]

    def choose(self, call: str, product: str | None) -> Rule | None:
        for rule in self._rules:
            if rule.strikes(call, product, self._random.random):
                return rule
        return None
