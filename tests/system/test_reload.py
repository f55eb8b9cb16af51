"""Reload and crash under load: no client is refused, no session breaks that need not, no message is lost.

GATEPOST_TURNS=200 makes more reloads and crashes.
"""

import contextlib
import os
import random
import signal
import socket
import time
from typing import Any, Iterator, List, Set

from gateway import Client, Gateway, free_port, unittest, wait_until
from session_load import SessionLoad, client_ports, wait_stopped

TURNS = int(os.environ.get("GATEPOST_TURNS", "20"))
SESSIONS = 200
MOST_PROCESSES = 7
"""A worker has eight places for old and new processes; the test leaves one free, so that nobody is told to hurry."""


def can_connect(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 60):
            return True
    except ConnectionRefusedError:
        return False


class Changing:
    """A gateway whose configuration changes."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.text = gateway.config.read_text()
        self.extra_port = free_port()
        self.done = self.refused = 0

    def write(self, workers: int = 2, size: str = "25M", extra: bool = False, top: str = "") -> None:
        text = self.text.replace("workers: 2\n", f"workers: {workers}\n{top}")
        text = text.replace("limits: {", f"limits: {{message_size: {size}, ")
        if extra:
            mx = text[text.index("  - name: mx\n") : text.index("  - name: mxs\n")]
            mx = mx.replace("name: mx\n", "name: extra\n").replace(str(self.gateway.port), str(self.extra_port))
            text = text.replace("  - name: mxs\n", mx + "  - name: mxs\n")
        self.gateway.config.write_text(text)

    def signal(self) -> None:
        self.gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]

    def reload(self, **settings: Any) -> None:
        """Returns when the new workers serve and the old ones have been told."""
        self.write(**settings)
        self.done += 1
        self.signal()
        self.gateway.wait_for("gateway.reload", self.done, ok=True)
        wait_until(lambda: self.gateway.log_text().count("the new workers serve") == self.done, "the new workers")

    def refuse(self) -> str:
        """Reloads what was written; it must be refused. Returns the event's message."""
        self.refused += 1
        self.signal()
        return self.gateway.wait_for("gateway.reload", self.refused, ok=False)[-1]["message"]

    def size(self) -> str:
        """What EHLO tells a new session."""
        with self.gateway.connect() as client:
            client.reply()
            client.send(b"EHLO client\r\n")
            lines: List[bytes] = []
            while not lines or lines[-1][3:4] == b"-":
                lines.append(client._file.readline())
            return next(line[9:].strip().decode() for line in lines if line[4:8] == b"SIZE")


@contextlib.contextmanager
def loaded(**options: Any) -> Iterator[Any]:
    """A gateway, its changes and a load that has begun; at the end, what was answered with 250 must be there once."""
    with Gateway(workers=2, limits="connections_per_client: 10000", **options) as gateway:
        with SessionLoad(gateway, SESSIONS) as load:
            wait_until(lambda: len(load.accepted) >= SESSIONS, "mail to flow")
            yield gateway, Changing(gateway), load
        load.check_stored()


class UnderLoad(unittest.TestCase):
    def setUp(self) -> None:
        self.began = time.monotonic()

    def report(self, what: str, load: SessionLoad) -> None:
        print(f"{TURNS} {what} in {time.monotonic() - self.began:.0f} s: {len(load.accepted)} messages in {len(load.ended)} sessions,"
              f" {len(load.broken())} of them broken", flush=True)  # fmt: skip

    def test_reloads(self) -> None:
        with loaded(extra="retire_timeout: 1h\n") as (gateway, changing, load):
            for turn in range(TURNS):
                wait_until(lambda: len(gateway.workers()) <= MOST_PROCESSES, "old workers to end")
                extra, size, before = turn % 3 == 1, str(1000000 + turn), len(load.accepted)
                changing.reload(workers=1 + turn % 3, size=size, extra=extra)
                wait_until(lambda: changing.size() == size, "the new setting")
                wait_until(lambda: can_connect(changing.extra_port) == extra, f"a listener that is {'there' if extra else 'gone'}")
                wait_until(lambda: len(load.accepted) > before + 50, "mail to flow")
        self.report("reloads", load)
        self.assertEqual((load.refused, [session.end for session in load.broken()]), ([], []))

    def crash(self, gateway: Gateway, victim: int) -> Set[int]:
        """Kills a worker; returns the clients' ports of the sessions that it had."""
        ready = len(gateway.events("gateway.ready"))
        # A process that is stopped takes no client and ends none, so it is known whom its end may break.
        os.kill(victim, signal.SIGSTOP)
        wait_stopped(victim)
        theirs = client_ports(victim, gateway.port)
        os.kill(victim, signal.SIGKILL)
        gateway.wait_for("gateway.ready", ready + 1)
        return theirs

    def test_crashes(self) -> None:
        chance, theirs = random.Random(7), set()
        with loaded(extra="retire_timeout: 1h\n") as (gateway, changing, load):
            for turn in range(TURNS):
                theirs |= self.crash(gateway, chance.choice(sorted(gateway.workers())))
                before = len(load.accepted)
                wait_until(lambda: len(load.accepted) > before + 50, "mail to flow")
                if turn % 5 == 4:  # new workers have died never: the next death is no longer followed by a long pause
                    changing.reload()
                    wait_until(lambda: len(gateway.workers()) == 2, "old workers to end")
        self.report("crashes", load)
        self.assertEqual(load.refused, [])
        self.assertEqual([session.end for session in load.broken() if session.port not in theirs], [])
        self.assertGreater(len(load.broken()), TURNS)


if __name__ == "__main__":
    unittest.main()
