"""The short form of `make chaos`."""

from pathlib import Path

import pytest

from lab.chaos.plan import Plan
from lab.chaos.run import run
from lab.chaos.servers import own_mariadb
from tests.servers import skipped_if_missing

SHORT = Plan(
    refresher_kills=4,
    notifier_kills=4,
    database_kills=1,
    faults=60,
    seed=1,
    products=60,
    refreshers=2,
    writers=2,
    rules=120,
    period_s=4,
    timeout_s=1,
    longest_s=60,
)


@pytest.mark.proof
def test_nothing_is_lost_or_wrong_when_everything_is_killed(tmp_path: Path) -> None:
    with skipped_if_missing(), own_mariadb(tmp_path) as servers:
        findings = run(SHORT, servers, tmp_path, print)

    assert findings.broken == [], "\n".join(findings.figures)
