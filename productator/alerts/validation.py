"""Validation of the rules that clients and operators make."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, AwareDatetime, BeforeValidator, Field

from productator.alerts.firing import Kind
from productator.catalogue.validation import Name, StrictModel, Whole
from productator.domain import MAX_AMOUNT, MAX_ID, time_of_json

MAX_CHANNELS = 20
_YEAR_S = 366 * 86_400
_NEW_LOW_DAYS = 90


def _kind(value: object) -> object:
    return Kind(value) if isinstance(value, str) and value in set(Kind) else value


def _time(value: object) -> object:
    """Strict models take no times from texts, and JSON has no other."""
    return time_of_json(value) if isinstance(value, str) else value


def _utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError as exc:
        raise ValueError("must be a time of the years 1 to 9999") from exc


RowIdIn = Annotated[int, Field(ge=1, le=MAX_ID, json_schema_extra={"format": "int64"}), Whole]
Percent = Annotated[float, Field(gt=0, le=1_000)]
Moment = Annotated[
    AwareDatetime, BeforeValidator(_time, json_schema_input_type=AwareDatetime), AfterValidator(_utc)
]
KindIn = Annotated[Kind, BeforeValidator(_kind, json_schema_input_type=Kind)]
Cooldown = Annotated[int, Field(ge=0, le=_YEAR_S), Whole]
Confirm = Annotated[int, Field(ge=0, le=1_000), Whole]
Rearm = Annotated[float, Field(ge=0, le=100)]
Price = Annotated[int, Field(ge=0, le=MAX_AMOUNT), Whole]
Days = Annotated[int, Field(ge=1, le=36_500), Whole]
Channels = Annotated[list[RowIdIn], Field(max_length=MAX_CHANNELS)]


class RuleIn(StrictModel):
    """What to tell whom. With neither `product_id` nor `q` it is about all products."""

    COLUMNS: ClassVar[tuple[str, ...]] = (
        "kind",
        "product_id",
        "q",
        "price",
        "percent",
        "days",
        "cooldown_s",
        "confirm_periods",
        "rearm_percent",
        "muted_until",
        "active",
    )

    kind: KindIn
    product_id: RowIdIn | None = None
    q: Name | None = None
    price: Annotated[Price | None, Field(description="Of `threshold`.")] = None
    percent: Annotated[Percent | None, Field(description="Of `drop` and `rise`.")] = None
    days: Annotated[
        Days | None, Field(description="Of `new_low`: how far it looks back; null: as far as is known.")
    ] = _NEW_LOW_DAYS
    channel_ids: Channels = Field(default=[])
    cooldown_s: Annotated[
        Cooldown,
        Field(description="Between two events of a product. `service` tells of each outage at once."),
    ] = 86_400
    confirm_periods: Confirm = 2
    rearm_percent: Rearm = 2
    muted_until: Moment | None = None
    active: bool = True

    def columns(self) -> dict[str, Any]:
        columns = {name: getattr(self, name) for name in self.COLUMNS} | {"kind": str(self.kind)}
        # The default is that of the one kind which has days.
        return columns if self.kind == Kind.NEW_LOW else columns | {"days": None}


class NewRuleIn(RuleIn):
    tell_now: Annotated[
        bool, Field(description="Tell at once if it is true already; else that is no news.")
    ] = False


def contradictions(rule: RuleIn) -> list[tuple[str, str]]:
    """What is wrong with values that are acceptable alone, each as (JSON pointer, sentence)."""
    wrong = []
    if rule.product_id is not None and rule.q is not None:
        wrong.append(("/q", "Only one of `product_id` and `q` may be given."))
    if rule.kind == Kind.SERVICE:
        wrong += [
            (f"/{name}", "A rule about the service is about no product.")
            for name in ("product_id", "q")
            if getattr(rule, name) is not None
        ]
    if (rule.kind == Kind.THRESHOLD) != (rule.price is not None):
        wrong.append(("/price", "A rule has a price if, and only if, its kind is `threshold`."))
    if (rule.kind in {Kind.DROP, Kind.RISE}) != (rule.percent is not None):
        wrong.append(("/percent", "A rule has a percentage if, and only if, its kind is `drop` or `rise`."))
    if rule.kind != Kind.NEW_LOW and rule.days is not None and "days" in rule.model_fields_set:
        wrong.append(("/days", "A rule has days only if its kind is `new_low`."))
    if isinstance(rule, NewRuleIn) and rule.tell_now and rule.product_id is None:
        wrong.append(("/tell_now", "Only a rule about one product can tell at once what is true already."))
    if isinstance(rule, NewRuleIn) and rule.tell_now and not rule.active:
        wrong.append(("/tell_now", "A rule that is not active tells nothing."))
    if rule.kind == Kind.DROP and rule.percent is not None and rule.percent > 100:  # noqa: PLR2004
        wrong.append(("/percent", "A price cannot fall by more than 100 percent."))
    return wrong
