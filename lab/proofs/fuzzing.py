"""Schemathesis against the running API: every answer is as the OpenAPI document describes it."""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.processes.api import ADMIN_TOKEN, Api
from lab.processes.program import Program
from lab.processes.system import System
from lab.proofs.schemathesis_hooks import TALLY

PHASES = ("examples", "coverage", "fuzzing", "stateful")


@dataclass(frozen=True)
class FuzzResult:
    cases: int
    # By phase, then by status.
    answers: Mapping[str, Mapping[str, int]]
    # The output of Schemathesis, with a way to repeat each failure.
    printed: str
    exit_code: int

    @property
    def server_errors(self) -> int:
        return sum(
            count
            for of_phase in self.answers.values()
            for status, count in of_phase.items()
            if int(status) >= 500
        )

    @property
    def is_as_promised(self) -> bool:
        return self.exit_code == 0 and not self.server_errors


def fuzz(
    system: System, api: Api, *, examples: int, seed: int | None = None, phases: Sequence[str] = PHASES
) -> FuzzResult:
    """`examples` counts for each operation. With a seed, each run is the same."""
    report, tally = system.folder / "schemathesis.json", system.folder / "tally.json"
    repeatable = [] if seed is None else ["--seed", str(seed), "--generation-deterministic"]
    program = system.start(
        Program,
        *(sys.executable, "-m", "schemathesis.cli", "run", api.url("/openapi.json"), "--no-color"),
        *("--max-examples", str(examples), "--phases", ",".join(phases), *repeatable),
        *("--report", "json", "--report-json-path", str(report)),
        environment=system.environment(**{TALLY: str(tally), "API_TOKEN": ADMIN_TOKEN}),
    )
    exit_code = program.process.wait()
    cases = _read(report).get("test_cases", {"generated": 0})["generated"]
    return FuzzResult(cases, _read(tally), program.printed, exit_code)


def _read(path: Path) -> Any:
    """Empty when Schemathesis ended before it wrote the file."""
    written = path.read_text(encoding="utf-8") if path.exists() else ""
    return json.loads(written or "{}")
