"""Lines and descriptors over a Unix socket.

asyncio's streams throw passed descriptors away, so this reads with recvmsg(). A descriptor comes with
the first octet of its line; which line that is only the order tells (the kernel joins reads).
"""

from __future__ import annotations

import array
import asyncio
import collections
import contextlib
import logging
import os
import socket
from typing import Deque, Optional

from ._line import MAX_LINE, Message, WireError, decode

log = logging.getLogger("gatepost")

_READ = 262144
_DESCRIPTORS = 253  # as many as the kernel passes at a time (SCM_MAX_FD)
_UNSENT = 262144  # octets above which drain() waits


class Channel:
    """One connection. Takes the socket over; close() gives it back, with the descriptors nobody took."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self._in = bytearray()
        self._searched = 0  # octets of it that have no LF
        self._out = bytearray()
        self._descriptors: Deque[int] = collections.deque()
        self._ended = False
        self._error: Optional[BaseException] = None
        self._reading = False
        self._more: Optional[asyncio.Future[None]] = None
        self._room: Optional[asyncio.Future[None]] = None
        self.closed = False

    async def receive(self) -> Optional[Message]:
        """The next message; None at the end of the stream. Raises WireError and OSError."""
        while True:
            line = await self._line()
            if line is None:
                return None
            message = decode(line)
            if message is not None:
                return message

    def descriptor(self) -> Optional[int]:
        """The oldest descriptor that came and was not taken, for the caller to close; None without one."""
        return self._descriptors.popleft() if self._descriptors else None

    async def _line(self) -> Optional[bytes]:
        while True:
            end = self._in.find(b"\n", self._searched)
            if end >= 0:
                line = bytes(self._in[: end + 1])
                del self._in[: end + 1]
                self._searched = 0
                return line
            self._searched = len(self._in)
            if self._searched > MAX_LINE:
                raise WireError("line_too_long", "the gateway sent a line that is too long")
            if self._error is not None:
                raise self._error
            if self._ended:
                if self._in.strip():
                    raise WireError("bad_json", "the gateway's last line is incomplete")
                return None
            if not self._in:
                self._drop_unclaimed()
            await self._wait_for_input()

    def _drop_unclaimed(self) -> None:
        """Every line was served, so no line is left for these."""
        if self._descriptors:
            log.warning("%d descriptors came without a request for them", len(self._descriptors))
        while self._descriptors:
            os.close(self._descriptors.popleft())

    async def _wait_for_input(self) -> None:
        if not self._reading:
            self._loop.add_reader(self._sock, self._on_readable)
            self._reading = True
        self._more = self._loop.create_future()
        try:
            await self._more
        finally:
            self._more = None

    def _on_readable(self) -> None:
        try:
            self._read()
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, WireError) as error:
            self._error = error
        # A gateway that sends faster than it is served waits in the socket, not in memory.
        if self._ended or self._error is not None or len(self._in) > MAX_LINE:
            self._stop_reading()
        self._wake()

    def _wake(self) -> None:
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def fail(self, error: Exception) -> None:
        """receive() raises the error when there is no message left."""
        self._error = error
        self._stop_reading()
        self._wake()

    def _read(self) -> None:
        size = array.array("i").itemsize
        data, ancillary, flags, _ = self._sock.recvmsg(_READ, socket.CMSG_SPACE(_DESCRIPTORS * size), socket.MSG_CMSG_CLOEXEC)
        for level, kind, payload in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                descriptors = array.array("i")
                descriptors.frombytes(payload[: len(payload) - len(payload) % size])
                self._descriptors.extend(descriptors)
        if flags & socket.MSG_CTRUNC:
            # With one missing, the next request would get the content of another.
            raise WireError("bad_message", "a passed descriptor was lost: this process has too many open files")
        self._in += data
        self._ended = not data

    def _stop_reading(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._sock)
            self._reading = False

    def send(self, data: bytes) -> None:
        """Sends now, or as soon as there is room. Nothing once closed or broken: reading tells that."""
        if self.closed:
            return
        if not self._out:
            try:
                data = data[self._sock.send(data) :]
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self._break(error)
                return
            if data:
                self._loop.add_writer(self._sock, self._on_writable)
        self._out += data

    def _on_writable(self) -> None:
        try:
            del self._out[: self._sock.send(self._out)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._break(error)
        if not self._out:
            self._loop.remove_writer(self._sock)
        if self._room is not None and not self._room.done():
            self._room.set_result(None)

    def _break(self, error: OSError) -> None:
        """Writing has failed. What came before may still be read to its end."""
        self._out.clear()
        log.debug("cannot write to the gateway: %s", error)

    async def drain(self, limit: int = _UNSENT) -> None:
        """Waits until at most `limit` octets are unsent. One waits at a time."""
        while len(self._out) > limit and not self.closed:
            self._room = self._loop.create_future()
            try:
                await self._room
            finally:
                self._room = None

    async def close(self, patience: float = 1.0) -> None:
        """Sends what is left for at most `patience` seconds, and closes."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.drain(0), patience)
        self.closed = True
        self._stop_reading()
        self._loop.remove_writer(self._sock)
        self._drop_unclaimed()
        self._sock.close()
