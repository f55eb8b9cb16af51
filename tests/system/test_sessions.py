"""Ten thousand sessions at a time on one worker, in every state a session can rest in; each is answered afterwards.

GATEPOST_SESSIONS=N tries another number. The memory that a session costs is printed: with the sanitizers it says little.
"""

import contextlib
import errno
import os
import pathlib
import re
import resource
import select
import socket
import ssl
import sys
import time
from typing import Any, Dict, List, Optional, Set, Tuple

from gateway import Gateway, unittest

COUNT = int(os.environ.get("GATEPOST_SESSIONS", "10000"))
OPENING = 500
"""Connections that are being opened at a time: the kernel's queue of new ones must not run over."""
PER_ADDRESS = 40

MAIL = ["MAIL FROM:<a@example.org>"]
RCPT = [*MAIL, "RCPT TO:<b@example.com>", "RCPT TO:<c@example.com>"]
# In which state sessions rest (what is said after EHLO), and what is said to them there: command and reply.
STATES: Dict[str, Tuple[List[str], List[Tuple[str, str]]]] = {
    "connect": ([], [("NOOP", "250 2.0.0 ")]),  # before EHLO
    "ehlo": ([], [("NOOP", "250 2.0.0 ")]),
    "mail": (MAIL, [("RCPT TO:<b@example.com>", "250 2.1.5 "), ("RSET", "250 2.0.0 ")]),
    "rcpt": (RCPT, [("MAIL FROM:<x@example.org>", "503 5.5.1 ")]),
    "data": ([*RCPT, "DATA"], [("the rest\r\n.", "250 2.0.0 OK id=")]),
    "tls": (["STARTTLS", "EHLO client", *RCPT], [("NOOP", "250 2.0.0 ")]),
    "tls-data": (["STARTTLS", "EHLO client", *RCPT, "DATA"], [("the rest\r\n.", "250 2.0.0 OK id=")]),
}
SHARES = ["connect", "ehlo", "ehlo"] + ["mail"] * 2 + ["rcpt"] * 2 + ["data"] * 2 + ["tls"]
LAST = re.compile(rb"^\d\d\d(?: .*)?\r\n", re.M)

CONTEXT = ssl.create_default_context()
CONTEXT.check_hostname = False
CONTEXT.verify_mode = ssl.CERT_NONE


class Session:
    """One client: says its lines, each after the reply to the one before."""

    def __init__(self, crowd: "Crowd", number: int, state: str) -> None:
        self.crowd, self.state = crowd, state
        self.plain = socket.socket()
        self.plain.setblocking(False)
        self.plain.bind((f"127.0.{number // PER_ADDRESS // 250}.{number // PER_ADDRESS % 250 + 1}", 0))
        self.sock: Any = self.plain
        self.input = b""
        self.lines: List[str] = []
        self.waits_for: Optional[str] = None
        self.shakes_hands = False
        self.has_quit = False

    def connect(self, port: int) -> None:
        error = self.plain.connect_ex(("127.0.0.1", port))
        assert error in (0, errno.EINPROGRESS), os.strerror(error)
        self.crowd.poll.register(self.plain, select.EPOLLIN)

    def say(self, lines: List[str]) -> None:
        self.lines = list(lines)
        self.next()

    def next(self) -> None:
        if not self.lines:
            self.waits_for = None
            self.crowd.busy -= 1
            return
        self.waits_for = self.lines.pop(0)
        self.sock.sendall(self.waits_for.encode() + b"\r\n")

    def on_readable(self) -> None:
        with contextlib.suppress(ssl.SSLWantReadError, BlockingIOError):
            if self.shakes_hands:
                self.sock.do_handshake()
                self.shakes_hands = False
                self.next()
            while True:
                data = self.sock.recv(4096)
                if not data and self.has_quit:
                    self.crowd.poll.unregister(self.sock)
                    return
                if not data:
                    raise AssertionError(f"closed in state {self.state} after {self.waits_for}")
                self.input += data
                match = LAST.search(self.input)
                if match:
                    self.on_reply(self.input[match.start() :].decode())
                if self.shakes_hands:  # recv() would finish the handshake unseen
                    return

    def on_reply(self, reply: str) -> None:
        self.input = b""
        self.crowd.replies.append((self, reply))
        self.has_quit = self.waits_for == "QUIT"
        if self.waits_for == "STARTTLS" and reply.startswith("220"):
            self.plain.setblocking(False)
            self.crowd.poll.unregister(self.plain)
            self.sock = CONTEXT.wrap_socket(self.plain, do_handshake_on_connect=False)
            self.crowd.adopt(self)
            self.shakes_hands = True
            with contextlib.suppress(ssl.SSLWantReadError):
                self.sock.do_handshake()
            return
        self.next()


class Crowd:
    """Many sessions in one thread."""

    def __init__(self, port: int, count: int) -> None:
        self.port = port
        self.poll = select.epoll()
        self.sessions: Dict[int, Session] = {}
        self.busy = 0
        self.replies: List[Tuple[Session, str]] = []
        for number in range(count):
            session = Session(self, number, SHARES[number % len(SHARES)] if number % 50 != 49 else "tls-data")
            self.sessions[session.plain.fileno()] = session

    def adopt(self, session: Session) -> None:
        """Its socket is another object now, with the same descriptor or another."""
        self.sessions[session.sock.fileno()] = session
        self.poll.register(session.sock, select.EPOLLIN)

    def wait(self, most: int = 0) -> None:
        """Until at most so many sessions wait for a reply."""
        end = time.monotonic() + 100
        while self.busy > most:
            assert time.monotonic() < end, f"{self.busy} sessions still wait, such as {self.waiting()}"
            for fd, _ in self.poll.poll(1.0, 1000):
                self.sessions[fd].on_readable()

    def waiting(self) -> Set[Tuple[str, Optional[str], bool]]:
        return {(each.state, each.waits_for, each.shakes_hands) for each in self.sessions.values() if each.waits_for}

    def open(self) -> None:
        for session in list(self.sessions.values()):
            self.wait(OPENING)
            self.busy += 1
            session.connect(self.port)
        self.wait()

    def all_say(self, lines: Dict[str, List[str]]) -> List[Tuple[Session, str]]:
        """Each session says the lines of its state; the replies."""
        self.replies = []
        for session in list(self.sessions.values()):
            self.wait(OPENING * 4)
            self.busy += 1
            session.say(lines[session.state])
        self.wait()
        return self.replies

    def send(self, text: bytes, *states: str) -> None:
        """Octets to which no reply is due."""
        for session in self.sessions.values():
            if session.state in states:
                session.sock.sendall(text)

    def close(self) -> None:
        for session in self.sessions.values():
            session.sock.close()
        self.poll.close()


def memory(pid: int) -> int:
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Sessions(unittest.TestCase):
    def all_ok(self, replies: List[Tuple[Session, str]]) -> None:
        for session, reply in replies:
            self.assertIn(reply[:1], "23", f"{session.state}: {reply}")

    def test_many(self) -> None:
        enough = max(COUNT + 1000, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, enough))  # here, and in the gateway that is started from here
        with Gateway(limits=f"connections: {COUNT}", delivery="discard: true") as gateway:
            crowd = Crowd(gateway.port, COUNT)
            try:
                self.go_through(gateway, crowd)
            finally:
                crowd.close()
            self.assertEqual(gateway.events("delivery", code=451) + gateway.events("violation"), [])

    def go_through(self, gateway: Gateway, crowd: Crowd) -> None:
        worker = gateway.worker()
        began, before = time.monotonic(), memory(worker)
        crowd.open()
        greeted = memory(worker)
        self.all_ok(crowd.all_say({state: ["EHLO client.example.net"] if state != "connect" else [] for state in STATES}))
        idle = memory(worker)
        self.all_ok(crowd.all_say({state: lines if "tls" not in state else [] for state, (lines, _) in STATES.items()}))
        plain = memory(worker)
        self.all_ok(crowd.all_say({state: lines if "tls" in state else [] for state, (lines, _) in STATES.items()}))
        secure = memory(worker)
        crowd.send(b"Subject: a part of a message\r\n\r\nhi\r\n", "data", "tls-data")
        # All are there at the same time: the worker has a descriptor for each.
        self.assertGreaterEqual(len(os.listdir(f"/proc/{worker}/fd")), COUNT)
        mixed = memory(worker)
        with gateway.connect() as another:  # the limit of all connections
            self.assertEqual(another.reply()[:3], "421")

        asked = time.monotonic()
        replies = crowd.all_say({state: [command for command, _ in talk] for state, (_, talk) in STATES.items()})
        answered = time.monotonic() - asked
        self.check(crowd, replies)
        last = crowd.all_say({state: ["QUIT"] for state in STATES})
        self.assertEqual({reply[:9] for _, reply in last}, {"221 2.0.0"})
        self.assertEqual(len(last), COUNT)
        states = {state: sum(session.state == state for session in set(crowd.sessions.values())) for state in STATES}
        print(
            f"{COUNT} sessions on one worker: {states}; there in {asked - began:.1f} s, all answered again in {answered:.1f} s.\n"
            f"Memory of the worker a session: {(greeted - before) / COUNT:.0f} octets after the banner, {(idle - before) / COUNT:.0f} "
            f"idle after EHLO, {(mixed - before) / COUNT:.0f} on average in these states; "
            f"{(secure - plain) / (states['tls'] + states['tls-data']):.0f} more for one with TLS.",
            file=sys.stderr,
        )

    def check(self, crowd: Crowd, replies: List[Tuple[Session, str]]) -> None:
        heard: Dict[Session, List[str]] = {}
        for session, reply in replies:
            heard.setdefault(session, []).append(reply)
        self.assertEqual(len(heard), COUNT)
        for session, texts in heard.items():
            expected = [start for _, start in STATES[session.state][1]]
            self.assertEqual([text[: len(start)] for text, start in zip(texts, expected)], expected, session.state)
            self.assertEqual(len(texts), len(expected))


if __name__ == "__main__":
    unittest.main()
