"""A policy service inside the test, whose answers the test makes itself, octet by octet if it likes."""

import contextlib
import json
import socket
import threading
from typing import Any, Callable, Dict, List, Optional

from gateway import wait_until

Request = Dict[str, Any]
Answer = Callable[[Request], Optional[bytes]]


def reply(number: int, **fields: Any) -> bytes:
    return json.dumps({"type": "reply", "id": number, "verdict": "accept", **fields}).encode() + b"\n"


class Liar:
    """A service whose answer to each request is made by `answer`: octets, or None for silence.

    With body mode `fd` the request has the descriptor as "fd"; the answer must close it.
    """

    def __init__(self, path: str, hooks: List[str], answer: Answer, body: Optional[List[str]] = None, register: Optional[Dict[str, Any]] = None) -> None:
        self.answer = answer
        self.register = {"type": "register", "version": 1, "hooks": {hook: {} for hook in hooks}, **(register or {})}
        if body:
            self.register["body"] = body
        self.errors: List[Dict[str, Any]] = []
        self.cancels: List[Dict[str, Any]] = []
        self.requests: List[Request] = []
        self.ready: Dict[str, Any] = {}
        self.registered = 0
        self._socks: List[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._socks.append(sock)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        rest, fds = b"", []
        with contextlib.suppress(OSError), sock:
            while True:
                data, more, _, _ = socket.recv_fds(sock, 1 << 20, 64)
                if not data:
                    return
                fds += more
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    self._take(sock, json.loads(line), fds)

    def _take(self, sock: socket.socket, message: Dict[str, Any], fds: List[int]) -> None:
        if message["type"] == "hello":
            sock.sendall(json.dumps(self.register).encode() + b"\n")
        elif message["type"] == "ready":
            self.ready = message
            self.registered += 1
        elif message["type"] == "ping":
            sock.sendall(b'{"type":"pong"}\n')
        elif message["type"] == "error":
            self.errors.append(message)
        elif message["type"] == "cancel":
            self.cancels.append(message)
        elif message["type"] == "request":
            if message["args"].get("body", {}).get("mode") == "fd":
                message["fd"] = fds.pop(0)
            self.requests.append(message)
            if "id" in message:
                octets = self.answer(message)
                with contextlib.suppress(OSError):  # dropped in the middle of it: why can still be read
                    sock.sendall(octets or b"")

    def told(self) -> str:
        """The message of the first error that the gateway has for the author."""
        return str(wait_until(lambda: self.errors, "an error for the author")[0]["message"])

    def close(self) -> None:
        """No new connections; those that are there go on."""
        self._listener.close()

    def drop(self) -> None:
        """Ends every connection, as the death of a process does."""
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
