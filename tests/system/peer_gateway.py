"""The gateway's end of a policy connection, as a test needs it: what the real program does not (yet) do on demand."""

import array
import json
import socket
from typing import Any, Dict, List, Optional

PATIENCE = 60.0
SESSION, TRANSACTION = "01K2F7Q8ZB4M9XW3T6RY", "01K2F7Q9A0C5N8PVD2HJ"
HELLO = {
    "type": "hello",
    "protocol": "gatepost-policy",
    "versions": [1],
    "gateway": {"name": "mx1.example.org", "worker": 0, "epoch": "01K2F7NW40S6GZQB1M8K", "software": "test"},
    "hooks": [],
    "context": [],
    "body": [],
    "limits": {"window": 256},
    "ping_ms": 15000,
}


def mailbox(address: str) -> Dict[str, Any]:
    local, _, domain = address.partition("@")
    return {"address": address, "local": local, "domain": domain, "params": []}


class PeerGateway:
    """Connected, and registered."""

    def __init__(self, path: str, **ready: Any) -> None:
        self._sock = socket.socket(socket.AF_UNIX)
        self._sock.settimeout(PATIENCE)
        self._sock.connect(path)
        self._file = self._sock.makefile("rb")
        self._last_id = 0
        self.send(HELLO)
        self.register = self.receive()
        window = self.register.get("window", 64)
        hooks = {hook: {"deadline_ms": 30000} for hook in self.register["hooks"]}
        body = self.register.get("body", ["none"])
        self.send({"type": "ready", "version": 1, "policy": "test", "mode": "enforce", "hooks": hooks, "missing": [],
                   "window": window, "body": body, "spool": None, "grants": [], **ready})  # fmt: skip

    def __enter__(self) -> "PeerGateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        self._sock.close()

    def send(self, message: Dict[str, Any], fds: Optional[List[int]] = None) -> None:
        line = json.dumps(message).encode() + b"\n"
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds or []))]
        sent = self._sock.sendmsg([line], rights if fds else [])
        if sent < len(line):  # to send nothing is an error too when the service has closed meanwhile
            self._sock.sendall(line[sent:])

    def receive(self) -> Dict[str, Any]:
        """The next message; raises EOFError when the service has closed."""
        try:
            line = self._file.readline()
        except ConnectionResetError:
            line = b""
        if not line:
            raise EOFError
        message = json.loads(line)
        assert isinstance(message, dict)
        return message

    def send_request(self, hook: str, args: Dict[str, Any], fd: Optional[int] = None, **fields: Any) -> int:
        self._last_id += 1
        request = {"type": "request", "id": self._last_id, "key": f"{TRANSACTION}.{hook}", "hook": hook, "session": SESSION,
                   "transaction": TRANSACTION, "attempt": 1, "deadline_ms": 30000, "args": args, "context": {}, **fields}  # fmt: skip
        self.send(request, None if fd is None else [fd])
        return self._last_id

    def ask(self, hook: str, args: Dict[str, Any], fd: Optional[int] = None, **fields: Any) -> Dict[str, Any]:
        number = self.send_request(hook, args, fd, **fields)
        reply = self.receive()
        assert reply["id"] == number, reply
        return reply
