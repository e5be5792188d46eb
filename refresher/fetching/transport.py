"""Many calls at once over libcurl: requests in, replies out, in the order in which they arrive.

One thread drives all connections, at a fraction of the processor time that `requests` takes. Connections are
reused, and HTTP/2 is spoken where the service offers it.
"""

import time
from functools import partial

import pycurl

from productator.errors import OffersUnavailable
from productator.offers_service.answer_memory import AnswerMemory
from productator.offers_service.contract import OffersRequest
from productator.offers_service.http_call import HttpCall, Reply
from productator.outgoing import CurlFailure
from productator.workers.curl_loop import CurlLoop


class Transport:
    def __init__(
        self, base_url: str, *, concurrency: int, timeout_s: float, ca_file: str | None = None
    ) -> None:
        """`ca_file`: the authorities that certificates are checked against; None: those of `certifi`."""
        self.timeout_s = timeout_s
        self.memory = AnswerMemory()
        self._new_call = partial(HttpCall, base_url, timeout_s=timeout_s, ca_file=ca_file, memory=self.memory)
        self._concurrency = concurrency
        self._under_way: dict[pycurl.Curl, tuple[object, HttpCall]] = {}
        self._idle: list[HttpCall] = []
        # Calls that libcurl refused to start.
        self._refused: list[tuple[object, Reply]] = []
        # Whether calls may wait for a connection that is being opened, as the last call has shown. Where a
        # connection carries one call at a time they would wait for a whole answer, or for one that hangs.
        self._may_share = False
        self._loop = CurlLoop(connections=concurrency)

    @property
    def free_calls(self) -> int:
        """How many more calls can be made now."""
        return self._concurrency - len(self._under_way)

    def send(self, key: object, request: OffersRequest, *, token: str) -> None:
        """Starts a call; `receive` returns its reply under the same key."""
        try:
            call = self._idle.pop() if self._idle else self._new_call()
            call.prepare(request, token=token)
            call.curl.setopt(pycurl.PIPEWAIT, self._may_share)
            self._loop.add(call.curl)
        except pycurl.error as error:
            # This call fails alone; the handle is not used again.
            self._refused.append((key, OffersUnavailable(f"The call could not be made: {error.args[-1]}.")))
        else:
            self._under_way[call.curl] = key, call

    def receive(self, wait_s: float) -> list[tuple[object, Reply]]:
        """The replies that have arrived; waits up to `wait_s` for the first one, or to be woken."""
        deadline = time.monotonic() + wait_s
        while True:
            is_woken = self._loop.wait(until=0.0 if self._refused else deadline)
            replies, self._refused = self._refused, []
            replies += [self._end(curl, failure) for curl, failure in self._loop.ended()]
            if replies or is_woken or time.monotonic() >= deadline:
                return replies

    def wake(self) -> None:
        """Ends the wait of `receive`, this one or the next; any thread may call it."""
        self._loop.wake()

    def close(self) -> None:
        """Ends all calls at once."""
        calls = [call for _, call in self._under_way.values()]
        for call in calls:
            self._loop.remove(call.curl)
        for call in [*calls, *self._idle]:
            call.curl.close()
        self._under_way.clear()
        self._idle.clear()
        self._loop.close()

    def _end(self, curl: pycurl.Curl, failure: CurlFailure | None) -> tuple[object, Reply]:
        key, call = self._under_way.pop(curl)
        self._may_share = call.used_http2
        self._loop.remove(curl)
        self._idle.append(call)
        return key, call.reply(failure)
