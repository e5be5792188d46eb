"""Starts the simulator: `python -m simulator`; --help lists the options."""

import asyncio
import os
import signal
import sys

from aiohttp import web

from simulator.calls import BASE_PATH
from simulator.control import Control
from simulator.faults import Faults
from simulator.generation1 import Generation1
from simulator.generation2 import Generation2
from simulator.listings import Clock, Listings
from simulator.log import RequestLog
from simulator.market import Market
from simulator.options import Options, read_options
from simulator.server import OffersServer

# Short: a request in flight gets no answer. To aiohttp, 0 would mean for ever.
_HANDLERS_END_WITHIN_S = 0.02


def main() -> int:
    options = read_options(sys.argv[1:], os.environ)
    try:
        asyncio.run(_serve(options))
    except OSError as error:
        sys.stderr.write(f"simulator: cannot listen at {options.host}:{options.port}: {error.strerror}.\n")
        return 1
    return 0


async def _serve(options: Options) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        # The event loop runs this as an ordinary callback, so it may set an event.
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    # A `timeout` fault ends when its client disconnects, which cancels the handler.
    server = web.Server(_offers_server(options).handle, handler_cancellation=True)
    runner = web.ServerRunner(server, shutdown_timeout=_HANDLERS_END_WITHIN_S)
    await runner.setup()
    await web.TCPSite(runner, options.host, options.port, backlog=1024).start()
    sys.stdout.write(f"simulator: generation {options.generation} at {_address(runner)}{BASE_PATH}\n")
    sys.stdout.flush()
    await stopped.wait()
    await runner.cleanup()


def _offers_server(options: Options) -> OffersServer:
    market = Market(
        seed=options.seed,
        generation=options.generation,
        mean_offers=options.offers,
        exact_offers=options.offers_exactly,
    )
    listings = Listings(market, Clock(tick_s=options.tick))
    contract = _contract(options, listings)
    faults, log = Faults(seed=options.seed), RequestLog()
    control = Control(
        tokens=contract.tokens, canonical_id=contract.canonical_id, listings=listings, faults=faults, log=log
    )
    return OffersServer(contract=contract, control=control, faults=faults, log=log)


def _contract(options: Options, listings: Listings) -> Generation1 | Generation2:
    if options.generation == 1:
        return Generation1(listings)
    return Generation2(listings, refresh_token=options.refresh_token, lifetime_s=options.token_lifetime)


def _address(runner: web.ServerRunner) -> str:
    host, port = runner.addresses[0][:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


if __name__ == "__main__":
    sys.exit(main())
