"""Clients that know what became of each of their messages, and a look into Maildirs that proves it."""

import contextlib
import hashlib
import pathlib
import random
import re
import threading
import time
from typing import Dict, Iterable, List, Set

from gateway import Client, Gateway

SIZES = (0, 60, 4000, 4000, 30000, 90000)
"""Of bodies; the longest have a spool file."""


def make_message(number: int, size: int) -> bytes:
    """A message that tells of itself whether it is whole."""
    body = b"".join(b"%07d %s\r\n" % (line, b"x" * 70) for line in range(size // 80))
    return b"X-Number: %d\r\nX-Sum: %s\r\n\r\n%s" % (number, hashlib.sha256(body).hexdigest().encode(), body)


def number_of(path: pathlib.Path) -> int:
    """The number of the message in this file; fails when it is not whole."""
    content = path.read_bytes()
    head, _, body = content.partition(b"\r\n\r\n")
    found = re.search(rb"^X-Number: (\d+)\r\nX-Sum: ([0-9a-f]{64})$", head, re.M)
    assert found and hashlib.sha256(body).hexdigest() == found.group(2).decode(), f"{path} is not whole: {content[:300]!r}"
    assert path.name.endswith(f",S={len(content)}"), path
    return int(found.group(1))


def numbers_in(folder: pathlib.Path) -> List[int]:
    return [number_of(path) for path in (folder / "new").iterdir()] if (folder / "new").exists() else []


class CrashLoad:
    """Sends without end from several clients; each ends when its connection does. Nothing is sent twice."""

    def __init__(self, gateway: Gateway, clients: int, first: int, seed: int, recipients: Iterable[str] = ("b@example.com",)) -> None:
        self.gateway = gateway
        self.recipients = list(recipients)
        self.replies: Dict[int, str] = {}
        """The reply to each message that got one."""
        self.sent: Set[int] = set()
        self._numbers = iter(range(first, first + 10**9))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(random.Random(f"{seed} {n}"),), daemon=True) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    @property
    def accepted(self) -> List[int]:
        with self._lock:
            return [number for number, reply in self.replies.items() if reply.startswith("250 2.0.0 OK id=")]

    def _run(self, chance: random.Random) -> None:
        with contextlib.suppress(OSError), self.gateway.connect() as client:
            if client.reply()[:3] == "220" and client.say("EHLO client")[:3] == "250":
                while not self._stop.is_set() and self._send(client, chance):
                    pass

    def _send(self, client: Client, chance: random.Random) -> bool:
        """False when the gateway is gone."""
        for line in ("MAIL FROM:<a@example.org>", *(f"RCPT TO:<{recipient}>" for recipient in self.recipients), "DATA"):
            if client.say(line)[:1] not in ("2", "3"):
                return False
        with self._lock:
            number = next(self._numbers)
            self.sent.add(number)
        client.send(make_message(number, chance.choice(SIZES)) + b".\r\n")
        reply = client.reply()
        if reply:
            with self._lock:
                self.replies[number] = reply
        return bool(reply)

    def join(self) -> None:
        """Until all clients have lost their connections."""
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive(), "a client hangs"

    def stop(self) -> None:
        """Each client ends after its message."""
        self._stop.set()
        self.join()


def _is_gone(pid: int) -> bool:
    """A thread that still waits for the disk keeps the sockets open, though the process has ended otherwise."""
    with contextlib.suppress(OSError):
        state = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state in "ZX" and len(list(pathlib.Path(f"/proc/{pid}/task").iterdir())) == 1
    return True


def wait_gone(pids: Iterable[int]) -> None:
    """Until no thread of these processes runs any more."""
    for pid in pids:
        while not _is_gone(pid):
            time.sleep(0.005)
