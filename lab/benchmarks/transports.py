"""Which transport is fastest: ours over libcurl, aiohttp, threads, or a loop over `requests`.

    python -m lab.benchmarks.transports [--latency 0.1] [--in-flight 512]

Only reads answers, without parsing or storing them. aiohttp runs on uvloop if that is installed.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http import HTTPStatus
from uuid import uuid4

import aiohttp
import click
import requests

from lab.processes.system import REPOSITORY
from productator.offers_service import contract
from refresher.fetching.transport import Transport

try:
    import uvloop
except ImportError:
    uvloop = None

_HEADERS = {"Bearer": "token"}
_THREADS = 64


@contextmanager
def upstream(latency_s: float) -> Iterator[str]:
    command = [sys.executable, "-m", "lab.benchmarks.upstream", "--latency", str(latency_s)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


def ours(address: str, products: Sequence[str], in_flight: int) -> None:
    transport = Transport(address, concurrency=in_flight, timeout_s=30)
    waiting = list(products)
    read = 0
    while read < len(products):
        while waiting and transport.free_calls:
            product = waiting.pop()
            transport.send(product, contract.reading(product), token="token")
        for _, reply in transport.receive(1):
            assert isinstance(reply, contract.OffersAnswer), reply
            assert reply.status == HTTPStatus.OK, reply
            read += 1
    transport.close()


def by_aiohttp(address: str, products: Sequence[str], in_flight: int) -> None:
    async def read_all() -> None:
        waiting = list(products)
        connector = aiohttp.TCPConnector(limit=in_flight)
        async with aiohttp.ClientSession(connector=connector, headers=_HEADERS) as session:

            async def work() -> None:
                while waiting:
                    async with session.get(f"{address}/products/{waiting.pop()}/offers") as answer:
                        assert answer.status == HTTPStatus.OK
                        await answer.read()

            await asyncio.gather(*(work() for _ in range(in_flight)))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop if uvloop else None) as runner:
        runner.run(read_all())


def by_threads(address: str, products: Sequence[str], _in_flight: int) -> None:
    waiting = list(products)

    def work(_: int) -> None:
        with requests.Session() as session:
            while waiting:
                try:
                    product = waiting.pop()
                except IndexError:
                    return
                url = f"{address}/products/{product}/offers"
                session.get(url, headers=_HEADERS, timeout=30).raise_for_status()

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(work, range(_THREADS)))


def by_loop(address: str, products: Sequence[str], _in_flight: int) -> None:
    for product in products:
        requests.get(f"{address}/products/{product}/offers", headers=_HEADERS, timeout=30).raise_for_status()


TRANSPORTS: dict[str, tuple[Callable[[str, Sequence[str], int], None], float]] = {
    "ours, libcurl's multi interface": (ours, 1.0),
    "aiohttp, " + ("uvloop" if uvloop else "asyncio's own loop"): (by_aiohttp, 1.0),
    f"requests.Session, {_THREADS} threads": (by_threads, 0.1),
    "requests, one after the other": (by_loop, 0.003),
}


@click.command()
@click.option("--products", "count", default=20_000, show_default=True)
@click.option("--latency", default=0.1, show_default=True)
@click.option("--in-flight", default=512, show_default=True)
def main(count: int, latency: float, in_flight: int) -> None:
    with upstream(latency) as address:
        products = [str(uuid4()) for _ in range(count)]
        register(address, products, in_flight)
        for name, (read, share) in TRANSPORTS.items():
            report(name, read, address, products[: max(20, int(count * share))], in_flight)


def register(address: str, products: Sequence[str], in_flight: int) -> None:
    transport = Transport(address, concurrency=in_flight, timeout_s=30)
    waiting, done = list(products), 0
    while done < len(products):
        while waiting and transport.free_calls:
            product = waiting.pop()
            transport.send(product, contract.registration(product, "Lamp", ""), token="token")
        done += len(transport.receive(1))
    transport.close()


def report(
    name: str,
    read: Callable[[str, Sequence[str], int], None],
    address: str,
    products: Sequence[str],
    in_flight: int,
) -> None:
    before, began = processor_s(), time.monotonic()
    read(address, products, in_flight)
    took_s, used_s = time.monotonic() - began, processor_s() - before
    figures = {
        "transport": name,
        "calls": len(products),
        "calls_per_s": round(len(products) / took_s),
        "processor_us_per_call": round(used_s / len(products) * 1e6),
    }
    print(json.dumps(figures), flush=True)


def processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
