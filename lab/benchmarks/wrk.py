"""Requests sent by wrk, as fast as the server answers."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import click

_SCRIPT = """math.randomseed(os.time())
{before}
request = function()
  {request}
end
done = function(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{{"requests": %d, "seconds": %f, "p50_ms": %f, "p99_ms": %f, "failed": %d}}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    errors.status + errors.connect + errors.read + errors.write + errors.timeout))
end
"""


@dataclass(frozen=True)
class Answers:
    """What one run of wrk saw."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float
    # With a status of 400 or more, or without an answer.
    failed: int

    @property
    def per_s(self) -> float:
        return self.requests / self.seconds


def require() -> None:
    if shutil.which("wrk") is None:
        raise click.ClickException(
            "wrk, which sends the requests, is missing: "
            "`apt-get install wrk` (Debian, Ubuntu) or `brew install wrk`."
        )


def write_script(file: Path, request: str, *, before: str = "") -> None:
    """A script that makes requests: `request` is the body of a Lua function that returns one."""
    file.write_text(_SCRIPT.format(request=request, before=before))


def run(script: Path, address: str, *, clients: int, seconds: int) -> Answers:
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "-s", str(script), address]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return Answers(**json.loads(printed.splitlines()[-1]))
