"""The event side: a subscriber that reconnects, resumes and proves that nothing was lost."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import socket
import threading
from typing import AsyncIterator, Iterator, Optional, Sequence, Union

from . import wire
from ._cursor import Cursor, From, Item, Position

log = logging.getLogger("gatepost")

_HANDSHAKE = 10.0
_SILENCE = 15.0  # three heartbeats
_BACKOFF_FIRST, _BACKOFF_MOST = 0.1, 5.0


class _Backoff:
    def __init__(self) -> None:
        self._delay = _BACKOFF_FIRST
        self._said = ""

    def next(self, why: str) -> float:
        if why != self._said:
            log.warning("event stream interrupted, reconnecting: %s", why)
            self._said = why
        delay = self._delay * random.uniform(0.75, 1.25)
        self._delay = min(self._delay * 2, _BACKOFF_MOST)
        return delay

    def reset(self) -> None:
        self._delay = _BACKOFF_FIRST
        self._said = ""


async def _line(reader: asyncio.StreamReader, patience: float) -> bytes:
    # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with a line.
    silence = asyncio.get_running_loop().call_later(patience, reader.set_exception, OSError("the gateway is silent"))
    try:
        return await reader.readuntil(b"\n")
    finally:
        silence.cancel()


async def events(
    path: Union[str, "os.PathLike[str]"],
    events: Sequence[str] = ("*",),
    from_: From = "now",
    name: Optional[str] = None,
    *,
    on_lag: str = "gap",
    reconnect: bool = True,
) -> AsyncIterator[Item]:
    """Iterate asynchronously over Event and Gap objects from the gateway's event socket.

    path       the event socket
    events     names of events, "prefix.*", or "*" for all
    from_      "now", "oldest" (what the gateway still holds), or (epoch, seq) of the last event you
               have, which is the `position` of an Event
    name       how the subscriber appears in the gateway's log
    on_lag     when the events are taken too slowly: "gap", a Gap; "close", EventsError "lag"
    reconnect  when the connection breaks or cannot be made, or nothing comes for 15 s, not even a
               heartbeat of the gateway, try again after 0.1 s doubling to 5 s
               and go on after the last event. If False, an orderly end of the stream ends the
               iteration and a failure raises OSError or WireError.

    What is missing is reported by a Gap in its place; Gap.why is "unexplained" if the gateway did
    not announce it. Raises EventsError when the gateway refuses the subscription for good, and
    ValueError for wrong arguments.
    """
    cursor, backoff = Cursor(events, from_, name, on_lag), _Backoff()
    while True:
        writer: Optional[asyncio.StreamWriter] = None
        why = "the gateway closed the connection"
        try:
            cursor.open()
            reader, writer = await asyncio.open_unix_connection(os.fspath(path), limit=wire.MAX_LINE)
            while True:
                try:
                    line = await _line(reader, _SILENCE if cursor.live else _HANDSHAKE)
                except asyncio.IncompleteReadError as error:
                    if error.partial.strip():
                        raise wire.WireError("bad_json", "the last line is incomplete") from None
                    break
                except asyncio.LimitOverrunError:
                    raise wire.WireError("line_too_long", "a line that is too long") from None
                message = wire.decode(line)
                if message is None:
                    continue
                answer, items = cursor.feed(message)
                if answer is not None:
                    writer.write(wire.encode(answer))
                    await writer.drain()
                for item in items:
                    backoff.reset()
                    cursor.delivered(item)
                    yield item
        except (OSError, wire.WireError) as error:
            if not reconnect:
                raise
            why = str(error)
        finally:
            if writer is not None:
                writer.close()
        if not reconnect:
            return
        await asyncio.sleep(backoff.next(why))


class Subscriber:
    """The blocking counterpart of events(): an iterator over Event and Gap objects.

        with gatepost.Subscriber("/run/gatepost/events.sock", events=["message"]) as subscriber:
            for item in subscriber:
                ...

    Arguments and errors are those of events(); the connection is made by the first next().
    `position` is (epoch, seq) of what was last returned, to be kept for a later from_.
    close() may be called from another thread: it ends the iteration.
    """

    def __init__(
        self,
        path: Union[str, "os.PathLike[str]"],
        events: Sequence[str] = ("*",),
        from_: From = "now",
        name: Optional[str] = None,
        *,
        on_lag: str = "gap",
        reconnect: bool = True,
    ) -> None:
        self._path = os.fspath(path)
        self._cursor = Cursor(events, from_, name, on_lag)
        self._reconnect = reconnect
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._socket: Optional[socket.socket] = None
        self._items = self._iterate()

    @property
    def position(self) -> Optional[Position]:
        """(epoch, seq) after which a new subscription would go on; None before the first connection."""
        return self._cursor.position

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        return next(self._items)

    def __enter__(self) -> Subscriber:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        """End the iteration and the connection."""
        self._closed.set()
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)

    def _iterate(self) -> Iterator[Item]:
        backoff = _Backoff()
        while not self._closed.is_set():
            why = "the gateway closed the connection"
            try:
                for item in self._connection():
                    backoff.reset()
                    self._cursor.delivered(item)
                    yield item
            except (OSError, wire.WireError) as error:
                if not self._reconnect and not self._closed.is_set():
                    raise
                why = "the gateway is silent" if isinstance(error, socket.timeout) else str(error)
            if not self._reconnect or self._closed.is_set():
                return
            self._closed.wait(backoff.next(why))

    def _connection(self) -> Iterator[Item]:
        cursor = self._cursor
        cursor.open()
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with self._lock:
                self._socket = sock
            if self._closed.is_set():
                return
            sock.settimeout(_HANDSHAKE)
            sock.connect(self._path)
            for line in _lines(sock):
                message = wire.decode(line)
                if message is None:
                    continue
                answer, items = cursor.feed(message)
                if answer is not None:
                    sock.sendall(wire.encode(answer))
                if cursor.live:
                    sock.settimeout(_SILENCE)
                yield from items
        finally:
            with self._lock:
                self._socket = None
                sock.close()


def _lines(sock: socket.socket) -> Iterator[bytes]:
    buffer = bytearray()
    while True:
        data = sock.recv(65536)
        if not data:
            if buffer.strip():
                raise wire.WireError("bad_json", "the last line is incomplete")
            return
        searched = len(buffer)
        buffer += data
        while True:
            end = buffer.find(b"\n", searched)
            if end < 0:
                break
            line = bytes(buffer[:end])
            del buffer[: end + 1]
            searched = 0
            yield line
        if len(buffer) > wire.MAX_LINE:
            raise wire.WireError("line_too_long", "a line that is too long")
