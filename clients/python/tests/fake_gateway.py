"""The gateway's side of both channels, as far as tests need it: real sockets, scripted messages."""

import contextlib
import json
import os
import socket
import tempfile
import threading
from typing import Any, Dict, Iterator, List, Optional, Tuple

import gatepost

Message = Dict[str, Any]


class Peer:
    """A socket that speaks JSON lines, with a time limit on every read and on the whole of every write."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.sock.settimeout(60)  # nothing waits that long, unless something hangs
        self._file = sock.makefile("rb")

    def send(self, *messages: Message) -> None:
        self.send_raw(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    def send_raw(self, data: bytes) -> None:
        self.sock.sendall(data)

    def receive(self) -> Optional[Message]:
        """The next message; None when the peer has closed."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            return None
        return json.loads(line) if line else None

    def close(self) -> None:
        self._file.close()
        self.sock.close()


HELLO: Message = {
    "type": "hello", "protocol": "gatepost-policy", "versions": [1],
    "gateway": {"name": "mx1", "worker": 0, "epoch": "E", "software": "gatepost/test"},
    "hooks": ["connect", "ehlo", "starttls", "secure", "auth", "mail", "rcpt", "data", "message", "disconnect"],
    "context": ["client", "listener", "helo", "tls", "auth", "mail", "recipients", "labels"],
    "edits": ["add_header"], "body": ["none", "headers", "inline", "path", "fd"],
    "limits": {"line": 1048576, "keep": 4096}, "ping_ms": 15000,
}  # fmt: skip


def request(number: Optional[int], hook: str, **args: Any) -> Message:
    message: Message = {"type": "request", "hook": hook, "session": "S", "args": args, "context": {"client": {"ip": "192.0.2.1"}}}
    if number is not None:
        message.update(id=number, key=f"S.{hook}", attempt=1, deadline_ms=3000)
    if hook == "rcpt":
        message["context"]["mail"] = mailbox("carol", "example.org")
        args.update(index=1, accepted=0)
    return message


def mailbox(local: str, domain: str) -> Message:
    return {"address": f"{local}@{domain}", "local": local, "domain": domain, "params": []}


@contextlib.contextmanager
def running(service: gatepost.Service) -> Iterator[str]:
    """The service in a thread of its own; yields the path of its socket."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "policy.sock")
        thread = threading.Thread(target=_serve, args=(service, path))
        thread.start()
        try:
            yield path
        finally:
            service.stop()
            thread.join(60)
            assert not thread.is_alive()


def _serve(service: gatepost.Service, path: str) -> None:
    import asyncio

    asyncio.run(service.serve(path, grace=1))


def dial(path: str) -> Peer:
    """Connects as soon as the service listens."""
    while True:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.connect(path)
            return Peer(sock)
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            threading.Event().wait(0.01)


def registered(path: str, spool: Optional[str] = None, **ready: Any) -> Tuple[Peer, Message]:
    """A connection after the handshake, and the register message. `ready`: its fields that are not the usual."""
    peer = dial(path)
    peer.send(HELLO)
    register = peer.receive()
    assert register is not None
    hooks = {hook: {"deadline_ms": 3000, "extend_ms": 60000} for hook in register["hooks"]}
    peer.send({"type": "ready", "version": 1, "policy": "p", "mode": "enforce", "grants": [], "hooks": hooks, "missing": [],
               "window": 64, "body": register["body"], "spool": spool, **ready})  # fmt: skip
    return peer, register


class EventServer:
    """An event socket; each connection is handed to the next script in turn."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self._folder.name, "events.sock")
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        self._listener.settimeout(60)

    def accept(self, epoch: str = "E1") -> Tuple[Peer, Message]:
        sock, _ = self._listener.accept()
        peer = Peer(sock)
        peer.send({"type": "hello", "protocol": "gatepost-events", "versions": [1],
                   "gateway": {"name": "mx1", "epoch": epoch}, "head": 0, "oldest": 1})  # fmt: skip
        subscribe = peer.receive()
        assert subscribe is not None
        return peer, subscribe

    def close(self) -> None:
        self._listener.close()
        self._folder.cleanup()


def event(seq: int, prev: int, name: str = "mail", **data: Any) -> Message:
    return {"type": "event", "seq": seq, "prev": prev, "time": "2026-11-24T11:03:15.482113Z", "event": name, "data": data}


def heartbeat(seq: int) -> Message:
    return {"type": "heartbeat", "time": "2026-11-24T11:03:20.000001Z", "seq": seq, "head": seq, "lost_total": 0}


def collect(items: Iterator[gatepost.Event], count: int) -> List[Any]:
    return [next(items) for _ in range(count)]
