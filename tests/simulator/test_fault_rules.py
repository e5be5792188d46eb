"""Fault rules: which calls they apply to, how often, and which rules are refused."""

from typing import Any

import pytest
import requests

from simulator.calls import ControlError
from simulator.faults import Faults
from simulator.rules import FAULT_KINDS
from tests.simulator.conftest import RunningSimulator


def faults(*rules: dict[str, Any], seed: int = 1) -> Faults:
    faults = Faults(seed=seed)
    faults.replace(list(rules))
    return faults


def draws_of(of: Faults, *, draws: int = 1_000) -> list[bool]:
    return [of.choose("offers", "lamp") is not None for _ in range(draws)]


def kind_chosen(of: Faults, call: str) -> str | None:
    rule = of.choose(call, None)
    return None if rule is None else rule.kind


@pytest.mark.parametrize("kind", FAULT_KINDS)
def test_every_kind_can_be_given_without_parameters(kind: str) -> None:
    assert kind_chosen(faults({"kind": kind}), "offers") == kind


def test_a_share_applies_about_that_often() -> None:
    drawn = draws_of(faults({"kind": "close", "share": 0.25}))

    assert sum(drawn) == pytest.approx(250, abs=60)


def test_the_same_seed_applies_to_the_same_calls() -> None:
    rule = {"kind": "close", "share": 0.5}

    assert draws_of(faults(rule)) == draws_of(faults(rule)) != draws_of(faults(rule, seed=2))


def test_a_share_of_zero_never_applies() -> None:
    assert not any(draws_of(faults({"kind": "close", "share": 0})))


def test_a_rule_applies_only_to_the_calls_it_names() -> None:
    chosen = faults({"kind": "close", "calls": ["auth", "register"]})

    assert [kind_chosen(chosen, call) for call in ("auth", "offers")] == ["close", None]


def test_a_rule_applies_only_to_the_products_it_names() -> None:
    chosen = faults({"kind": "close", "products": ["lamp", 7]})

    assert chosen.choose("offers", "chair") is None
    assert chosen.choose("auth", None) is None
    assert chosen.choose("offers", "7") is not None


def test_the_first_rule_that_applies_is_used() -> None:
    chosen = faults({"kind": "close", "calls": ["auth"]}, {"kind": "html"}, {"kind": "empty"})

    assert [kind_chosen(chosen, call) for call in ("auth", "offers")] == ["close", "html"]


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"kind": "html"}, "The body must be a list of fault rules."),
        (["html"], "Each fault rule must be an object."),
        ([{}], f"kind must be one of {', '.join(FAULT_KINDS)}."),
        ([{"kind": ["html"]}], f"kind must be one of {', '.join(FAULT_KINDS)}."),
        ([{"kind": "html", "share": 2}], "share must be a number from 0 to 1."),
        ([{"kind": "html", "share": True}], "share must be a number from 0 to 1."),
        ([{"kind": "html", "times": -1}], "times must be a whole number, 0 or more."),
        ([{"kind": "html", "calls": []}], "calls must be a list of some of auth, register, offers."),
        ([{"kind": "html", "calls": [[]]}], "calls must be a list of some of auth, register, offers."),
        ([{"kind": "html", "products": "lamp"}], "products must be a list of product ids."),
        ([{"kind": "html", "seconds": 1}], "A rule of kind html has no seconds."),
        ([{"kind": "empty", "calls": ["auth"]}], "A rule of kind empty cannot apply to auth."),
        ([{"kind": "latency", "seconds": -1}], "seconds must be a number, 0 or more."),
        ([{"kind": "status", "status": 200}], "status must be from 400 to 599."),
        ([{"kind": "huge", "field": "name"}], "field must be one of id, price, items_in_stock."),
        ([{"kind": "wrong_types", "as": []}], "as must be one of string, float, bool, null."),
        ([{"kind": "oversized", "size": 1}], "size must be a number of bytes above 2."),
    ],
)
def test_an_impossible_rule_is_refused_with_one_sentence(rules: Any, sentence: str) -> None:
    with pytest.raises(ControlError) as refusal:
        Faults(seed=1).replace(rules)

    assert str(refusal.value) == sentence


def test_an_impossible_rule_is_answered_422_and_the_old_rules_stay(generation1: RunningSimulator) -> None:
    generation1.set_faults({"kind": "html"})

    with pytest.raises(requests.HTTPError) as refusal:
        generation1.set_faults({"kind": "close"}, {"kind": "explosion"})

    assert refusal.value.response.status_code == 422
    assert refusal.value.response.json()["error"].startswith("kind must be one of")
    assert [rule["kind"] for rule in generation1.control("GET", "faults")] == ["html"]


def test_the_rules_show_how_often_they_fired_and_can_be_sent_back(generation1: RunningSimulator) -> None:
    rule = {"kind": "status", "times": 2, "calls": ["auth"]}
    generation1.set_faults(rule)

    statuses = [generation1.call("POST", "/auth").status_code for _ in range(3)]

    assert statuses == [503, 503, 201]
    assert generation1.control("GET", "faults") == [rule | {"fired": 2}]
    generation1.set_faults(*generation1.control("GET", "faults"))
    assert generation1.control("GET", "faults") == [rule | {"fired": 0}]


def test_deleting_the_faults_ends_them(generation1: RunningSimulator) -> None:
    generation1.set_faults({"kind": "close"})

    generation1.control("DELETE", "faults")

    assert generation1.call("POST", "/auth").status_code == 201
