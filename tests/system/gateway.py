"""Starts the real program for a test, with services and subscribers, and looks at what it stored."""

import atexit
import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from typing import Any, Callable, Dict, Iterator, List, Optional

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("GATEPOST", str(ROOT / "build" / "dev" / "gateway" / "gatepost"))
PATIENCE = 60.0
"""Seconds any condition may take before a test fails; nothing waits that long when all is well."""

sys.path.insert(0, str(ROOT / "clients" / "python"))

import gatepost  # noqa: E402


def wait_until(condition: Callable[[], Any], what: str, patience: float = PATIENCE) -> Any:
    """The first true value of condition(); fails the test when there is none in time."""
    end = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} s in vain: {what}")
        time.sleep(0.02)


_reservations: List[socket.socket] = []


def free_port() -> int:
    """One that the system gives to no outgoing connection before somebody listens on it, and no other test takes meanwhile."""
    while True:
        port = random.randrange(20000, 32000)
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0gatepost test port {port}")  # until this process ends
            with socket.socket() as sock:
                sock.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            continue
        _reservations.append(reservation)
        return port


class Gateway:
    """One gatepost, in a folder of its own below /var/tmp. Use as a context manager."""

    def __init__(
        self,
        *,
        policies: Optional[Dict[str, str]] = None,
        policy_options: str = "",
        limits: str = "",
        delivery: str = "maildir: FOLDER/mail",
        listener: str = "",
        tls: str = "starttls",
        extra: str = "",
        user: str = "root",
        workers: int = 1,
    ) -> None:
        """policies: name -> socket path ("FOLDER" stands for the gateway's folder), asked in that order."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gatepost.", dir="/var/tmp"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)  # also of one that was never started
        os.chmod(self.folder, 0o777)
        self.port, self.tls_port = free_port(), free_port()
        policies = policies or {}
        self._make_certificate()
        # Names would be asked of this machine's resolver, whatever that is.
        names = "" if "resolve_names" in listener else "    resolve_names: false\n"
        common = f"{names}    accept_domains: [example.com]\n    policies: [{', '.join(policies)}]\n    delivery: place\n{listener}"
        text = (
            f"hostname: mx.example.com\nruntime_dir: FOLDER/run\nspool_dir: FOLDER/spool\nuser: {user}\nworkers: {workers}\n"
            f"listeners:\n  - name: mx\n    address: '127.0.0.1:{self.port}'\n    tls: {tls}\n{common}"
            f"  - name: mxs\n    address: '127.0.0.1:{self.tls_port}'\n    tls: implicit\n{common}"
            "tls:\n  certificates:\n    - {certificate: FOLDER/cert.pem, key: FOLDER/key.pem}\n"
            f"limits: {{messages: 100000, commands: 1000000, {limits}}}\n"
        )
        if policies:
            text += "policies:\n"
            for name, path in policies.items():
                text += f"  - name: {name}\n    sockets: [{path}]\n{policy_options}"
        text += f"deliveries:\n  - name: place\n    {delivery}\n{extra}"
        self.config = self.folder / "gatepost.yaml"
        self.config.write_text(text.replace("FOLDER", str(self.folder)))
        self.log = self.folder / "log"
        self.process: Optional[subprocess.Popen] = None
        self._events: List[Dict[str, Any]] = []
        self._subscriber: Optional[gatepost.Subscriber] = None

    def _make_certificate(self) -> None:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
             "/CN=mx.example.com", "-keyout", str(self.folder / "key.pem"), "-out", str(self.folder / "cert.pem")],
            check=True, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def start(self) -> None:
        starts = len(self.events("gateway.start"))
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "serve", "-c", str(self.config)], stdout=log, stderr=log)
        wait_until(lambda: self.events_socket.exists() or self.process.poll() is not None, "events.sock")
        if self.process.poll() is not None:
            raise AssertionError(f"gatepost did not start:\n{self.log_text()}")
        if not self._subscriber:
            self._subscriber = gatepost.Subscriber(self.events_socket, from_="oldest", name="test")
            threading.Thread(target=self._collect, args=(self._subscriber,), daemon=True).start()
        wait_until(lambda: self._is_ready(starts + 1), "gateway.ready")

    def _is_ready(self, life: int) -> bool:
        """Whether a worker is ready in the nth life of the hub; events of the life before may still arrive."""
        names = [event["event"] for event in list(self._events)]
        starts = [place for place, name in enumerate(names) if name == "gateway.start"]
        return len(starts) >= life and "gateway.ready" in names[starts[life - 1] :]

    def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def __enter__(self) -> "Gateway":
        try:
            self.start()
        except BaseException:
            if self.process:
                self.process.kill()
            raise
        return self

    def __exit__(self, kind: Any, *unused: Any) -> None:
        assert self.process is not None
        if self._subscriber:
            self._subscriber.close()
        code: Any = None
        try:
            code = self.stop()
        finally:
            if self.process.poll() is None:
                self.process.kill()
            text = self.log_text()
            shutil.rmtree(self.folder)
        if kind is None:
            if code != 0 or "ERROR: " in text or "runtime error" in text:
                raise AssertionError(f"gatepost ended with {code}:\n{text[-8000:]}")
        else:
            print(f"--- log of gatepost\n{text[-8000:]}", file=sys.stderr)

    def _collect(self, subscriber: gatepost.Subscriber) -> None:
        with contextlib.suppress(OSError):
            for item in subscriber:
                if isinstance(item, gatepost.Event):
                    self._events.append({"event": item.name, "session": item.session, "transaction": item.transaction, **item.data})
                else:
                    self._events.append({"event": "GAP", "why": item.why, "lost": item.lost})

    @property
    def events_socket(self) -> pathlib.Path:
        return self.folder / "run" / "events.sock"

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")

    def events(self, name: str, **fields: Any) -> List[Dict[str, Any]]:
        """The events so far with this name and these values."""
        return [
            event for event in list(self._events)
            if event["event"] == name and all(event.get(key) == value for key, value in fields.items())
        ]  # fmt: skip

    def wait_for(self, name: str, count: int = 1, **fields: Any) -> List[Dict[str, Any]]:
        return wait_until(lambda: (found := self.events(name, **fields)) and len(found) >= count and found, f"{count} {name} {fields}")

    def children(self) -> List[int]:
        assert self.process is not None
        return [int(pid) for pid in pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()]

    def _named(self, name: str) -> List[int]:
        pids = []
        for pid in self.children():
            with contextlib.suppress(OSError):  # it ended meanwhile
                if pathlib.Path(f"/proc/{pid}/comm").read_text() == f"{name}\n":
                    pids.append(pid)
        return pids

    def hub(self) -> int:
        (pid,) = wait_until(lambda: self._named("gatepost hub"), "the hub")
        return pid

    def workers(self) -> List[int]:
        """By their names: process numbers are no order, they begin again at 300 when they are used up."""
        return self._named("gatepost worker")

    def worker(self) -> int:
        """The only one."""
        (pid,) = wait_until(self.workers, "the worker")
        return pid

    def stored(self) -> List[pathlib.Path]:
        return sorted((self.folder / "mail" / "new").iterdir())

    def connect(self, source: str = "127.0.0.1") -> "Client":
        return Client(self.port, source)


class Client:
    """An SMTP client that says exactly what it is told, over a plain socket."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.sock = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
        self._file = self.sock.makefile("rb")

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.close()

    def close_file(self) -> None:
        """Gives the socket up to somebody else, such as a TLS wrapper; reply() ends with that."""
        self._file.close()

    def close(self) -> None:
        self._file.close()
        self.sock.close()

    def reset(self) -> None:
        """Ends the connection with a RST."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.close()

    def reply(self) -> str:
        """The next reply, its last line without CRLF; "" when the gateway has closed."""
        while True:
            line = self._file.readline()
            if not re.match(rb"\d\d\d-", line):
                return line.rstrip(b"\r\n").decode()

    def say(self, line: str) -> str:
        self.send(line.encode() + b"\r\n")
        return self.reply()

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def start(self, *lines: str) -> None:
        """The banner and these commands, each of which must succeed."""
        replies = [self.reply()] + [self.say(line) for line in lines]
        assert all(reply[:1] in ("2", "3") for reply in replies), replies


@contextlib.contextmanager
def service_process(path: str, program: str) -> Iterator[subprocess.Popen]:
    """A service as a process of its own; `program` is Python with `gatepost` imported that makes `service`."""
    code = f"import asyncio, gatepost, os, sys\n{program}\nservice.run({path!r})\n"
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "clients" / "python"))
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    try:
        wait_until(lambda: os.path.exists(path) or process.poll() is not None, f"the service at {path}")
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE)


ACCEPT_ALL = """
service = gatepost.Service("all", window=256)
for hook in ("connect", "ehlo", "starttls", "secure", "mail", "rcpt", "data", "message"):
    getattr(service, hook)(lambda request: gatepost.accept())
service.disconnect(lambda request: None)
"""

@contextlib.contextmanager
def socket_folder() -> Iterator[pathlib.Path]:
    """Where a service's socket can be before the gateway's folder exists."""
    with tempfile.TemporaryDirectory(prefix="gatepost.", dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        yield pathlib.Path(folder)


__all__ = [
    "ACCEPT_ALL", "Client", "Gateway", "PATIENCE", "PROGRAM", "ROOT", "free_port", "gatepost", "service_process", "socket_folder",
    "unittest", "wait_until",
]  # fmt: skip
