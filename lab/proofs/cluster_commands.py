"""The commands that run the whole system on a cluster of three database servers."""

import signal
import sys
import tempfile
import time
from pathlib import Path

import click

from lab.chaos.servers import CommandedServers
from lab.processes.haproxy import ClusterKind
from lab.proofs.clusters import ClusterPlan, run_on_cluster

_STARTED = time.monotonic()


def cluster_command(kind: ClusterKind) -> click.Command:
    @click.command(kind, help=f"{kind} behind HAProxy, its nodes killed: nothing is lost or wrong.")
    @click.option("--minutes", default=30.0, show_default=True)
    @click.option("--node", "nodes", multiple=True, required=True, help="An empty database; three times.")
    @click.option("--kill-command", required=True, help="Kills server {node}, counted from 1, with -9.")
    @click.option("--start-command", required=True, help="Starts server {node} again with its data.")
    @click.option("--products", default=150, show_default=True, help="Each is refreshed every 10 seconds.")
    @click.option("--kill-every", default=120.0, show_default=True, help="Seconds.")
    @click.option("--away", default=30.0, show_default=True, help="Seconds before a killed node is started.")
    def run(
        *,
        minutes: float,
        nodes: tuple[str, ...],
        kill_command: str,
        start_command: str,
        products: int,
        kill_every: float,
        away: float,
    ) -> None:
        # SIGTERM ends this process through its context managers, which stop everything it has started.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
        plan = ClusterPlan(kind, for_s=60 * minutes, kill_every_s=kill_every, away_s=away, products=products)
        with tempfile.TemporaryDirectory(prefix="productator-proofs-") as folder:
            servers = CommandedServers(nodes, kill_command, start_command)
            findings = run_on_cluster(plan, servers, Path(folder), _say)
        print("\n".join(findings.figures))
        sys.exit(1 if findings.broken else 0)

    return run


def _say(text: str) -> None:
    print(f"{time.monotonic() - _STARTED:7.1f} s  {text}", flush=True)
