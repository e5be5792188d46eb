"""A rolling restart: APIs are replaced one after the other behind the proxy, under load."""

import time
from concurrent.futures import ThreadPoolExecutor

from lab.processes.api import ADMIN_TOKEN
from lab.processes.program import free_port
from lab.processes.proxy import start_proxy
from lab.processes.system import System
from lab.proofs.steady_load import LoadResult, SteadyLoad

# Between two of them, as an orchestrator would: the proxy looks once a second for who is ready.
_PAUSE_S = 3


def restart_under_load(system: System, *, replicas: int, per_s: float) -> LoadResult:
    """Restarts each API once; a restarted one has the port it had before, as a container has its name."""
    ports = [free_port() for _ in range(replicas)]
    apis = [system.api(PORT=str(port), PRODUCTATOR_DRAIN_S="3") for port in ports]
    proxy = start_proxy(system, *ports)
    load = SteadyLoad(proxy.url(""), ADMIN_TOKEN)
    with ThreadPoolExecutor(1) as thread:
        sent = thread.submit(load.send, per_s=per_s)
        try:
            for api in apis:
                time.sleep(_PAUSE_S)
                assert api.stop() == 0, api.printed
                system.api(PORT=str(api.port), PRODUCTATOR_DRAIN_S="3")
            time.sleep(_PAUSE_S)
        finally:
            load.end()
        return sent.result()
