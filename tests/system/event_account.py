"""A subscriber that keeps account: each seq of an epoch was sent to it, or lost, or (under a filter) not wanted; never two of these."""

import json
import socket
from typing import Any, Dict, List, Optional, Tuple

from gateway import PATIENCE, Gateway


class Account:
    """All that subscriptions one after the other have told, in one epoch after the other."""

    def __init__(self, gateway: Gateway, **fields: Any) -> None:
        self.gateway = gateway
        self.fields = fields
        self.filtered = fields.get("events", ["*"]) != ["*"]
        self.epoch = ""
        self.position = 0
        """All up to this seq of the epoch is accounted for."""
        self.expected = 0
        """What `prev` of the next event must be."""
        self.events: Dict[Tuple[str, int], Dict[str, Any]] = {}
        self.gaps: List[Dict[str, Any]] = []
        self.lost = 0
        """Of all connections."""
        self.error: Optional[Dict[str, Any]] = None
        self._sock: Optional[socket.socket] = None

    # --- connections

    def open(self, **fields: Any) -> "Account":
        """A connection that goes on where the last one has ended; the first one begins with the oldest event."""
        self.close()
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(PATIENCE)
        self._sock.connect(str(self.gateway.events_socket))
        start = {"epoch": self.epoch, "seq": self.position} if self.epoch else "oldest"
        message = {"type": "subscribe", "version": 1, "name": "account", "from": start, **self.fields, **fields}
        self._sock.sendall(json.dumps(message).encode() + b"\n")
        self._file = self._sock.makefile("rb")
        self._lost_here = 0
        self.hello = json.loads(self._file.readline())
        assert self.take() == "subscribed", self.error
        return self

    def close(self) -> None:
        if self._sock:
            self._file.close()
            self._sock.close()
        self._sock = None

    # --- messages

    def take(self) -> Optional[str]:
        """Reads a message and accounts for it; returns its type, None at the end of the connection."""
        line = self._file.readline()
        if not line.endswith(b"\n"):
            return None
        message = json.loads(line)
        getattr(self, "_" + message["type"])(message)
        return str(message["type"])

    def read_to(self, last: int) -> None:
        """Until this seq of the epoch is accounted for, if need be by a heartbeat."""
        while self.position < last:
            if self.take() is None:
                raise AssertionError(f"the stream ended at {self.position}: {self.error}")

    def read_to_end(self) -> None:
        while self.take() is not None:
            pass

    def _subscribed(self, message: Dict[str, Any]) -> None:
        self.expected = message["from"] - 1
        if self.epoch == message["epoch"]:
            assert self.expected >= self.position, message
            self._hole = (self.position + 1, self.expected)
            return
        assert message["from"] >= self.hello["oldest"], message  # it may have moved meanwhile
        self._hole = (0, 0) if self.epoch else (1, 0)
        self.epoch, self.position = message["epoch"], self.expected

    def _event(self, message: Dict[str, Any]) -> None:
        assert self._hole[1] < self._hole[0], f"no gap for {self._hole}"
        assert message["prev"] == self.expected, (message, self.expected)
        assert message["seq"] > self.position and (self.filtered or message["seq"] == self.position + 1), (message, self.position)
        self.position = self.expected = message["seq"]
        self.events[self.epoch, message["seq"]] = message

    def _gap(self, message: Dict[str, Any]) -> None:
        self.gaps.append(message)
        if message["why"] == "epoch":
            assert self._hole == (0, 0), message
            self._hole = (1, 0)
            return
        assert message["lost"] == message["to"] - message["from"] + 1
        self.lost += message["lost"]
        self._lost_here += message["lost"]
        if message["why"] == "expired":
            assert (message["from"], message["to"]) == self._hole, (message, self._hole)
            self._hole = (1, 0)
        else:
            assert message["from"] == self.position + 1 or self.filtered and message["from"] > self.position, (message, self.position)
        self.position = self.expected = message["to"]

    def _heartbeat(self, message: Dict[str, Any]) -> None:
        assert message["lost_total"] == self._lost_here, (message, self._lost_here)
        assert message["seq"] >= self.position and (self.filtered or message["seq"] == self.position), (message, self.position)
        self.position = message["seq"]

    def _error(self, message: Dict[str, Any]) -> None:
        self.error = message

    # --- what it comes to

    @property
    def sent(self) -> int:
        """Events of the epoch that came."""
        return sum(epoch == self.epoch for epoch, _ in self.events)

    def is_lost(self, seq: int) -> bool:
        return any(gap["from"] <= seq <= gap["to"] for gap in self.gaps if "from" in gap)
