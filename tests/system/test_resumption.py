"""TLS sessions are taken up by every worker, after a reload and a crash, and never where a full handshake would end otherwise."""

import os
import pathlib
import re
import signal
import socket
import ssl
from typing import List, NamedTuple, Optional, Set

from certificates import Authority, Pair
from gateway import PATIENCE, Client, Gateway, unittest, wait_until
from metrics import Metrics
from session_load import client_ports

VERSIONS = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
WORKERS = 3
MOST_VISITS = 1000
"""Of three workers the system picks one by the client's port; that many visits miss none of them."""


def client_context(version: ssl.TLSVersion, identity: Optional[Pair] = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    if identity:
        context.load_cert_chain(identity.certificate, identity.key)
    return context


class Visit(NamedTuple):
    session: Optional[ssl.SSLSession]
    """The one to take up next; None when the handshake failed."""
    reused: bool
    worker: int


class Visitor:
    """A client of one way and version of TLS, which remembers its session."""

    def __init__(self, gateway: Gateway, version: ssl.TLSVersion, implicit: bool, identity: Optional[Pair] = None) -> None:
        self.gateway, self.implicit = gateway, implicit
        self.context = client_context(version, identity)
        self.session: Optional[ssl.SSLSession] = None
        self.port = gateway.tls_port if implicit else gateway.port

    def __str__(self) -> str:
        return f"{self.context.minimum_version.name} {'implicit' if self.implicit else 'starttls'}"

    def _open(self) -> socket.socket:
        if self.implicit:
            return socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        client = Client(self.port)
        client.start("EHLO client", "STARTTLS")
        client.close_file()
        return client.sock

    def _worker(self, port: int) -> int:
        return next(pid for pid in self.gateway.workers() if port in client_ports(pid, self.port))

    def visit(self, session: Optional[ssl.SSLSession], name: str = "mx.example.com") -> Visit:
        """One connection that offers this session, up to the reply to QUIT."""
        with self._open() as plain:
            try:
                with self.context.wrap_socket(plain, server_hostname=name, session=session) as secure:
                    secure.sendall(b"NOOP\r\n")
                    text = b""
                    while not re.search(rb"^250 .*\r\n", text, re.M):
                        piece = secure.recv(1000)  # takes the tickets of TLS 1.3, or the alert, too
                        if not piece:
                            raise ConnectionError(text)
                        text += piece
                    worker = self._worker(secure.getsockname()[1])
                    secure.sendall(b"QUIT\r\n")
                    while secure.recv(1000):
                        pass
                    return Visit(secure.session, bool(secure.session_reused), worker)
            except (ssl.SSLError, ConnectionError):
                return Visit(None, False, 0)

    def begin(self) -> None:
        """A full handshake, whose session is kept."""
        visit = self.visit(None)
        assert visit.session and not visit.reused
        self.session = visit.session

    def served_by(self, wanted: Set[int]) -> int:
        """Offers the same session until all of these workers have taken it up; how often that was. Nobody refuses it."""
        seen: Set[int] = set()
        for number in range(1, MOST_VISITS):
            visit = self.visit(self.session)
            assert visit.reused, f"{self}: worker {visit.worker} of {wanted} did not take the session up, as {seen} did"
            seen.add(visit.worker)
            if seen >= wanted:
                return number
        raise AssertionError(f"{self}: of {wanted} only {seen} were met")


def change(gateway: Gateway, text: str, expected: int = WORKERS) -> Set[int]:
    """Reloads with this configuration; returns the new workers when the old ones are gone."""
    old, done = set(gateway.workers()), len(gateway.events("gateway.reload"))
    gateway.config.write_text(text)
    gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
    gateway.wait_for("gateway.reload", done + 1, ok=True)

    def replaced() -> Set[int]:
        now = set(gateway.workers())
        return now if len(now) == expected and not now & old else set()

    new: Set[int] = wait_until(replaced, "the new workers, alone")
    return new


class Resumption(unittest.TestCase):
    def test_by_all_workers_of_all_generations(self) -> None:
        metrics = Metrics()
        with Gateway(workers=WORKERS, extra=metrics.setting) as gateway:
            text = gateway.config.read_text()
            visitors = [Visitor(gateway, version, implicit) for version in VERSIONS for implicit in (False, True)]
            wait_until(lambda: len(gateway.events("gateway.ready")) == WORKERS, "all workers")
            workers, visits = set(gateway.workers()), 0
            for visitor in visitors:
                visitor.begin()
                visits += visitor.served_by(workers)
            for number in range(2):
                workers = change(gateway, text.replace("limits: {", f"limits: {{message_size: {5 + number}M, "))
                visits += sum(visitor.served_by(workers) for visitor in visitors)
            ready = len(gateway.events("gateway.ready"))
            os.kill(sorted(workers)[1], signal.SIGKILL)
            gateway.wait_for("gateway.ready", ready + 1)
            visits += sum(visitor.served_by(set(gateway.workers())) for visitor in visitors)
            metrics.wait_for(visits, "gatepost_tls_resumptions_total")
            for worker in range(WORKERS):
                self.assertGreater(metrics.total("gatepost_tls_resumptions_total", f'worker="{worker}"'), 0)

    def test_the_master_takes_its_keys_along(self) -> None:
        with Gateway() as gateway:
            visitor = Visitor(gateway, VERSIONS[1], True)
            visitor.begin()
            gateway.stop()
            gateway.start()
            self.assertFalse(visitor.visit(visitor.session).reused)

    def test_another_name_and_another_certificate(self) -> None:
        with Gateway(workers=WORKERS) as gateway:
            visitors = [Visitor(gateway, version, True) for version in VERSIONS]
            for visitor in visitors:
                visitor.begin()
                self.assertFalse(visitor.visit(visitor.session, name="mx.example.org").reused)
                visitor.served_by(set())
            gateway._make_certificate()
            workers = change(gateway, gateway.config.read_text())
            for visitor in visitors:
                self.assertFalse(visitor.visit(visitor.session).reused)
                visitor.begin()
                visitor.served_by(workers)


class ClientCertificates(unittest.TestCase):
    """STARTTLS at one listener without a certificate, implicit TLS at the other, which gets to require one."""

    def setUp(self) -> None:
        self.gateway = Gateway(workers=2)
        self.authority = Authority(self.gateway.folder / "ca")
        self.mine = self.authority.make("client", "client.example.org")
        self.text = self.gateway.config.read_text()

    def config(self, wanted: str, authority: Optional[pathlib.Path] = None) -> str:
        head, name, rest = self.text.partition("    tls: implicit\n")
        rest = rest.replace("tls:\n", f"tls:\n  client_ca: {authority or self.authority.file}\n", 1)
        return f"{head}{name}    client_certificates: {wanted}\n{rest}"

    def test_a_session_is_no_way_around_them(self) -> None:
        self.gateway.config.write_text(self.config("request"))
        with self.gateway as gateway:
            bare = [Visitor(gateway, version, implicit) for version in VERSIONS for implicit in (False, True)]
            mine = [Visitor(gateway, version, True, self.mine) for version in VERSIONS]
            for visitor in bare + mine:
                visitor.begin()
            for way, other in ((bare[0], bare[1]), (bare[2], bare[3])):
                other.context = way.context  # Python wants a session back where it comes from
                self.assertFalse(other.visit(way.session).reused)
                self.assertIsNotNone(other.visit(way.session).session)
                other.begin()
            workers = change(gateway, self.config("require"), 2)
            for way, other in ((bare[0], bare[1]), (bare[2], bare[3])):
                self.assertIsNone(other.visit(None).session)
                self.assertIsNone(other.visit(other.session).session)
                self.assertIsNone(other.visit(way.session).session)
                way.served_by(workers)  # whose listener has not changed
            for visitor in mine:
                self.assertFalse(visitor.visit(visitor.session).reused)
                visitor.begin()
                visitor.served_by(workers)
            self.assertEqual(change(gateway, self.config("require"), 2) & workers, set())
            for visitor in mine:
                visitor.served_by(set(gateway.workers()))
            other_authority = Authority(gateway.folder / "other")
            change(gateway, self.config("require", other_authority.file), 2)
            for visitor in mine:
                self.assertIsNone(visitor.visit(visitor.session).session)


def not_dumped(pid: int) -> List[str]:
    """The shared mappings of this process that no core dump has."""
    found, head = [], ""
    for line in pathlib.Path(f"/proc/{pid}/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            head = line
        elif line.startswith("VmFlags:") and {"sh", "dd"} <= set(line.split()):
            found.append(head)
    return found


class Memory(unittest.TestCase):
    def test_who_has_the_keys(self) -> None:
        with Gateway(workers=2) as gateway:
            wait_until(lambda: len(gateway.events("gateway.ready")) == 2, "all workers")
            master = gateway.process.pid  # type: ignore[union-attr]
            for _turn in range(2):
                for pid in (master, *gateway.workers()):
                    self.assertEqual(len(not_dumped(pid)), 1, pid)
                self.assertEqual(not_dumped(gateway.hub()), [])
                change(gateway, gateway.config.read_text(), 2)


if __name__ == "__main__":
    unittest.main()
