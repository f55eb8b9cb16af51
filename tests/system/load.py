"""Clients that send mail without end, for tests of what happens meanwhile."""

import contextlib
import re
import socket
import threading
from typing import Any, Iterator, List, Sequence

from gateway import Client, Gateway

MESSAGE = ("MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA", "Subject: load\r\n\r\nhi\r\n.")


class Load:
    """Each client says these lines again and again, each after the reply to the one before; the first refusal ends the turn."""

    def __init__(self, gateway: Gateway, clients: int, lines: Sequence[str] = MESSAGE) -> None:
        self.lines = lines
        self.replies: List[str] = []
        """The last one of each turn."""
        self.waiting = [False] * clients
        """Which clients wait for a reply at this moment."""
        self.turns = [0] * clients
        self._stop = threading.Event()
        self._errors: List[BaseException] = []
        self._clients = [gateway.connect() for _ in range(clients)]
        self._threads = [threading.Thread(target=self._run, args=(number,), daemon=True) for number in range(clients)]

    def _run(self, number: int) -> None:
        client = self._clients[number]
        try:
            client.start("EHLO client")
            while not self._stop.is_set():
                self.replies.append(self._turn(number, client))
                self.turns[number] += 1
                client.say("RSET")
            client.say("QUIT")
        except BaseException as error:
            self._errors.append(error)

    def _turn(self, number: int, client: Client) -> str:
        reply = ""
        for line in self.lines:
            self.waiting[number] = True
            reply = client.say(line)
            self.waiting[number] = False
            if reply[:1] not in ("2", "3"):
                break
        return reply

    def stuck(self, turns: List[int], others: int) -> List[int]:
        """The clients that still wait in the turn of then, when the others have made so many since; else none."""
        since = [now - then for now, then in zip(self.turns, turns)]
        if sum(since) < others:
            return []
        return [number for number, made in enumerate(since) if not made and self.waiting[number]]

    @property
    def transactions(self) -> List[str]:
        """Of the messages that were answered with 250."""
        found = [re.match(r"250 2\.0\.0 OK id=([0-9A-Z]{20})$", reply) for reply in self.replies]
        return [match.group(1) for match in found if match]

    def stop(self) -> None:
        """Ends each client after its turn. A reply that does not come raises."""
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *unused: Any) -> None:
        self._stop.set()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.sock.shutdown(socket.SHUT_RDWR)  # or closing waits for the thread that reads
        for thread, client in zip(self._threads, self._clients):
            thread.join()
            client.close()


def stored_transactions(gateway: Gateway) -> Iterator[str]:
    """Of each message in the Maildir."""
    for path in gateway.stored():
        match = re.search(r"\(gatepost\) with \w+ id ([0-9A-Z]{20})", path.read_text())
        assert match, path
        yield match.group(1)
