"""Receivers of alerts that fail, hang, answer 429 and 500, and note everything that arrives."""

import asyncio
import random
import threading
from collections import Counter, defaultdict

_HANGS_S = 20.0
_OK = b"HTTP/1.1 204 No Content\r\n\r\n"
_MOODS: dict[str, bytes | None] = {
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 2\r\nContent-Length: 0\r\n\r\n",
    # The message has arrived, and the sender does not learn it.
    "closes": b"",
    "hangs": None,
}


class Receivers:
    """One server in a thread; a path that begins with /moody is answered badly now and then."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        # The bodies that came with each id.
        self.bodies: dict[str, set[bytes]] = defaultdict(set)
        self.received: Counter[str] = Counter()
        self.answers: Counter[str] = Counter()
        self.is_moody = True
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=500)
        )
        self.address = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Closes all connections: those that hang, too."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._close())
        self._loop.close()

    async def _close(self) -> None:
        self._server.close()
        answering = asyncio.all_tasks() - {asyncio.current_task()}
        for each in answering:
            each.cancel()
        await asyncio.gather(*answering, return_exceptions=True)
        # A connection that is closed is gone after the next turn.
        await asyncio.sleep(0)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the caller has gone, or `stop` was called
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection is kept."""
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        self.bodies[headers["webhook-id"]].add(body)
        self.received[headers["webhook-id"]] += 1
        mood = self._mood(first.split()[1])
        self.answers[mood] += 1
        answer = _MOODS.get(mood, _OK)
        if answer is None:
            await asyncio.sleep(_HANGS_S)
            return False
        writer.write(answer)
        await writer.drain()
        return bool(answer)

    def _mood(self, path: str) -> str:
        is_bad = self.is_moody and path.startswith("/moody") and self._chance.random() < 0.4
        return self._chance.choice(list(_MOODS)) if is_bad else "204"
