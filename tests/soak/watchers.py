"""Subscribers: one that records all, one that resumes, ones that die, one that never reads."""

import array
import asyncio
import contextlib
import json
import random
import socket
import time
from dataclasses import dataclass, field
from typing import Any, Coroutine, Dict, List, Optional, Set, Tuple

from words import ROOT  # noqa: F401  (it makes the package findable)

import gatepost
from gatepost import wire

Position = Tuple[str, int]
PATIENCE = 30.0


@dataclass
class Seen:
    """A session as the events tell it."""

    ip: str
    connects: int = 0
    disconnects: int = 0
    reason: str = ""
    codes: "array.array[int]" = field(default_factory=lambda: array.array("H"))
    """One for each reply after the banner."""
    messages: List[Tuple[str, int, bool]] = field(default_factory=list)
    """Transaction, code, whether it was discarded."""
    deliveries: List[Tuple[str, int]] = field(default_factory=list)
    chunk: bool = False
    """The last command was a BDAT: a message event right after it has no reply of its own."""


class Subscriber:
    """Something that goes on in a task of its own until it is stopped."""

    def __init__(self, run: Coroutine[Any, Any, None]) -> None:
        self.stopped = False
        self._task = asyncio.create_task(run)

    def failed(self) -> Optional[BaseException]:
        """What has ended the task, which only a fault does."""
        return self._task.exception() if self._task.done() and not self._task.cancelled() else None

    def abort(self) -> None:
        # A cancellation can get lost where a wait ends at the same time; then the loop of the task sees this.
        self.stopped = True
        self._task.cancel()

    async def stop(self) -> None:
        """Raises what has ended the task before."""
        self.abort()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


class Recorder(Subscriber):
    """The truth, as the events tell it."""

    def __init__(self, path: str) -> None:
        self.sessions: Dict[str, Seen] = {}
        self.counts: Dict[str, int] = {}
        self.open = 0
        self.gaps: List[Tuple[float, gatepost.Gap]] = []
        self.letters: Set[Position] = set()
        """Positions of the events that the resuming subscriber wants too."""
        self.last = time.monotonic()
        self.position: Optional[Position] = None
        super().__init__(self._run(path))

    async def _run(self, path: str) -> None:
        async for item in gatepost.events(path, from_="oldest", name="recorder"):
            self.last = time.monotonic()
            self.position = item.position or self.position
            if isinstance(item, gatepost.Gap):
                self.gaps.append((time.time(), item))
                continue
            self.counts[item.name] = self.counts.get(item.name, 0) + 1
            if item.name in ("message", "delivery"):
                self.letters.add(item.position)
            if item.session:
                self._note(item.session, item.name, item.transaction or "", item.data)

    def _note(self, session: str, name: str, transaction: str, data: Dict[str, Any]) -> None:
        if name == "connect":
            self.sessions.setdefault(session, Seen(data["ip"])).connects += 1
            self.open += 1
        # Behind a gap there may be no connect.
        seen = self.sessions.setdefault(session, Seen(""))
        if name == "command":
            seen.codes.append(data["code"])
            seen.chunk = data["line"][:5].upper() == "BDAT "
        elif name == "message":
            if not seen.chunk:
                seen.codes.append(data["code"])
            seen.messages.append((transaction, data["code"], data.get("discarded", False)))
        elif name == "delivery":
            seen.deliveries.append((transaction, data["code"]))
        elif name == "disconnect":
            seen.disconnects += 1
            seen.reason = data["reason"]
            self.open -= 1


class Resumer(Subscriber):
    """Wants messages and deliveries only, leaves at random, and goes on where it was."""

    def __init__(self, path: str, chance: random.Random) -> None:
        self.letters: Set[Position] = set()
        self.gaps: List[gatepost.Gap] = []
        self.last: Dict[str, int] = {}
        """Of each epoch, the last position it knows of."""
        self.connections = self.repeated = 0
        self.last_at = time.monotonic()
        self._leaves = True
        super().__init__(self._run(path, chance))

    async def _run(self, path: str, chance: random.Random) -> None:
        position: Any = "oldest"
        while not self.stopped:
            stream = gatepost.events(path, ["message", "delivery"], from_=position, name="resumer", reconnect=False)
            left = chance.randrange(1, 400)
            with contextlib.suppress(OSError, gatepost.WireError):
                self.connections += 1
                async for item in stream:
                    position = item.position or position
                    self._take(item)
                    left -= 1
                    if left <= 0 and self._leaves:
                        break
            await stream.aclose()  # type: ignore[attr-defined]
            await asyncio.sleep(chance.uniform(0.05, 1))

    def _take(self, item: Any) -> None:
        self.last_at = time.monotonic()
        if isinstance(item, gatepost.Gap):
            self.gaps.append(item)
            return
        self.repeated += item.position in self.letters
        self.letters.add(item.position)
        self.last[item.epoch] = item.seq

    def missing(self, recorder: Recorder) -> Set[Position]:
        """What the recorder has and this one was neither given nor told to be lost.

        Behind the last event it had of an epoch that is over nothing can be had, and the gap of the new one says so."""
        over = set(self.last) - {max(recorder.letters)[0]} if any(gap.why == "epoch" for gap in self.gaps) else set()

        def is_told(epoch: str, seq: int) -> bool:
            if epoch in over and seq > self.last[epoch]:
                return True
            return any(gap.epoch == epoch and gap.start and gap.end and gap.start <= seq <= gap.end for gap in self.gaps)

        return {(epoch, seq) for epoch, seq in recorder.letters - self.letters if not is_told(epoch, seq)}

    def stay(self) -> None:
        self._leaves = False


class Mortal(Subscriber):
    """Subscribes, reads something, dies. Sometimes it dies before, or says nonsense."""

    def __init__(self, path: str, chance: random.Random) -> None:
        self.lives = 0
        super().__init__(self._run(path, chance))

    async def _run(self, path: str, chance: random.Random) -> None:
        while not self.stopped:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await self._live(path, chance)
            await asyncio.sleep(chance.uniform(0.1, 2))

    async def _live(self, path: str, chance: random.Random) -> None:
        reader, writer = await asyncio.open_unix_connection(path)
        self.lives += 1
        try:
            writer.write(chance.choice((b"", b"nonsense\n", subscription("oldest"), subscription("oldest"), subscription("now"))))
            for _ in range(chance.randrange(30)):
                if not await asyncio.wait_for(reader.read(65536), 2):
                    break
        finally:
            writer.transport.abort()


class Stuck:
    """Subscribes to all and reads nothing; reads it all in the end, and looks whether what is missing was told."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._sock: Optional[socket.socket] = None

    def connect(self) -> None:
        """Anew, when the hub has been replaced."""
        self.close()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.connect(self._path)
        self._sock.recv(1, socket.MSG_PEEK)  # it has been accepted
        self._sock.sendall(subscription("now"))

    def close(self) -> None:
        if self._sock:
            self._sock.close()
        self._sock = None

    async def drain(self) -> Tuple[int, int, bool]:
        """Events it was given, events it was told to be lost, and whether that is all of them. Ends when a heartbeat says that no more is held."""
        assert self._sock
        events = lost = 0
        expected: Optional[int] = None
        whole = True
        reader, writer = await asyncio.open_unix_connection(sock=self._sock, limit=wire.MAX_LINE)
        self._sock = None
        while True:
            message = wire.decode(await asyncio.wait_for(reader.readuntil(b"\n"), PATIENCE)) or {}
            if message["type"] == "subscribed":
                expected = message["from"] - 1
            elif message["type"] == "gap":
                whole = whole and message["from"] == expected + 1  # type: ignore[operator]
                lost, expected = lost + message["lost"], message["to"]
            elif message["type"] == "event":
                whole = whole and message["prev"] == expected
                events, expected = events + 1, message["seq"]
            elif message["type"] == "heartbeat":
                whole = whole and (message["seq"], message["lost_total"]) == (expected, lost)
                if message["seq"] == message["head"]:
                    break
        writer.close()
        return events, lost, whole and events + lost > 0


def head(path: str) -> Position:
    """Epoch and number of the latest event."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(PATIENCE)
        sock.connect(path)
        with sock.makefile("rb") as file:
            hello = json.loads(file.readline())
            return hello["gateway"]["epoch"], hello["head"]


def subscription(start: str) -> bytes:
    return bytes(wire.encode({"type": "subscribe", "version": 1, "name": "soak", "events": ["*"], "from": start}))
