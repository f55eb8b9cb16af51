"""Mail that is sent to a server: by Postfix's smtp-source, or by load.c where that has not enough sessions."""

import contextlib
import subprocess
import time
from typing import Iterator, List, Set

from bench.machine import PATIENCE, program, running_on

SESSIONS, SIZE = 50, 4096
LIMIT = 900.0
"""Seconds that one load may take."""


def smtp_source(
    port: int, where: Set[int], messages: int, reuse: bool, sessions: int = SESSIONS, size: int = SIZE, programs: int = 1
) -> float:
    """The seconds it took. `programs` send at once, each its part."""
    command = ["smtp-source", "-s", str(sessions), "-m", str(messages // programs), "-l", str(size)]
    command += ["-f", "a@example.org", "-t", "b@example.com", *(["-d"] if reuse else []), f"127.0.0.1:{port}"]
    began = time.monotonic()
    with running_on(where):
        senders = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) for _ in range(programs)]
    failures: List[str] = []
    for sender in senders:
        try:
            _, said = sender.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            sender.kill()
            _, said = sender.communicate()
        if sender.returncode:
            failures.append(said.decode(errors="replace").strip()[-300:] or f"code {sender.returncode}")
    if failures:
        raise RuntimeError(f"smtp-source: {failures[0]}")
    return time.monotonic() - began


class Held:
    """Sessions of load.c that are open and have said EHLO."""

    def __init__(self, sender: "subprocess.Popen[str]") -> None:
        self._sender = sender

    def start(self) -> None:
        assert self._sender.stdin
        self._sender.stdin.write("go\n")
        self._sender.stdin.flush()

    def is_done(self) -> bool:
        return self._sender.poll() is not None

    def seconds(self) -> float:
        """Those that all messages took, once they are sent."""
        said, why = self._sender.communicate(timeout=LIMIT)
        if self._sender.returncode:
            raise RuntimeError(why.strip() or f"load ended with {self._sender.returncode}")
        return float(said)


@contextlib.contextmanager
def held_sessions(port: int, where: Set[int], sessions: int, messages: int) -> Iterator[Held]:
    """They are idle until start()."""
    command = [str(program("load")), str(port), str(sessions), str(messages), str(SIZE), "reused"]
    with running_on(where):
        sender = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert sender.stdout
        if sender.stdout.readline() != "ready\n":
            raise RuntimeError(sender.communicate()[1].strip() or "load did not start")
        yield Held(sender)
    finally:
        if sender.poll() is None:
            sender.kill()
            sender.wait(PATIENCE)
