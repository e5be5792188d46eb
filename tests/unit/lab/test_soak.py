"""When a soak says that a process grows."""

from lab.proofs.soak import Trend, Usage, growing

_MIB = 1024 * 1024
_FOR_S = 7_200.0


def _trend(name: str, megabytes: list[float], *, over_s: float) -> Trend:
    step = over_s / (len(megabytes) - 1)
    return Trend(name, [Usage(step * n, int(each * _MIB), 10, 5) for n, each in enumerate(megabytes)])


def _growing(*trends: Trend) -> list[str]:
    found = growing(trends, for_s=_FOR_S, most_bytes_a_minute=50 * 1024)
    return [each.name for each in found]


def test_what_grows_until_the_end_grows() -> None:
    assert _growing(_trend("leak", [60 + n for n in range(40)], over_s=_FOR_S)) == ["leak"]


def test_what_only_warms_up_in_the_first_half_does_not() -> None:
    assert _growing(_trend("warm", [60, 80, *[90.0] * 38], over_s=_FOR_S)) == []


def test_what_began_in_the_second_half_is_not_judged() -> None:
    assert _growing(_trend("young", [60 + n for n in range(40)], over_s=_FOR_S / 4)) == []
