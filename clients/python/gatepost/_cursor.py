"""The event stream as pure logic: messages in, events and gaps out."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from . import wire
from ._request import raw

log = logging.getLogger("gatepost")

Position = Tuple[str, int]
From = Union[str, Position]

_PERMANENT = {"unknown_event", "version", "bad_message", "bad_json", "line_too_long", "not_allowed", "lag"}


class EventsError(Exception):
    """The gateway refused the subscription for good. `code` says why, such as "unknown_event" or "not_allowed";
    "lag": it was read too slowly, and on_lag is "close"."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


@dataclass(frozen=True)
class Event:
    """Something that happened.

    epoch, seq    where it stands: seq counts up within an epoch (one run of the event hub)
    name          such as "connect", "rcpt", "delivery" or "policy.decision"
    time          RFC 3339 UTC with microseconds; `when` is the same as a datetime
    session       id of the SMTP connection, None where there is none
    transaction   id of the mail transaction, None where there is none
    data          the fields of this event; durations ("ms") are in milliseconds
    message       the whole JSON object as received
    """

    epoch: str
    seq: int
    name: str
    time: str
    session: Optional[str]
    transaction: Optional[str]
    data: Dict[str, Any]
    message: Dict[str, Any] = field(repr=False)

    @property
    def position(self) -> Position:
        """(epoch, seq): pass it as from_ to go on after this event."""
        return (self.epoch, self.seq)

    @property
    def when(self) -> datetime:
        """The time as an aware datetime. Raises ValueError if the gateway sent none that is valid."""
        return datetime.strptime(self.time, "%Y-%m-%dT%H:%M:%S.%f%z")

    def raw(self, name: str) -> bytes:
        """The exact bytes of a client-supplied string in data. Raises KeyError if it is not there."""
        return raw(self.data, name)


@dataclass(frozen=True)
class Gap:
    """Events that this subscriber did not get.

    why          "lag": it read too slowly; "expired": they had left the gateway's memory;
                 "gateway": the gateway lost them; "epoch": the hub was restarted, how many is
                 not known; "unexplained": the sequence broke and the gateway did not say why
    start, end   first and last missing seq, or None when not known
    lost         how many, counted before the events were filtered, or None when not known
    epoch        the epoch the gap is in
    """

    why: str
    epoch: str
    start: Optional[int] = None
    end: Optional[int] = None
    lost: Optional[int] = None

    @property
    def position(self) -> Optional[Position]:
        """(epoch, end), or None when the end is not known."""
        return None if self.end is None else (self.epoch, self.end)


Item = Union[Event, Gap]


class Cursor:
    """The protocol without input and output: messages in, items out."""

    def __init__(self, events: Sequence[str], from_: From, name: Optional[str], on_lag: str = "gap") -> None:
        if on_lag not in ("gap", "close"):
            raise ValueError('on_lag must be "gap" or "close"')
        self._on_lag = on_lag
        if isinstance(events, str):
            raise ValueError('events must be a list, such as ["message", "policy.*"]')
        self._events = list(events)
        if not all(isinstance(event, str) for event in self._events):
            raise ValueError("events must be a list of strings")
        self._start = "now"
        self._name = name
        self.position: Optional[Position] = None
        if isinstance(from_, str):
            if from_ not in ("now", "oldest"):
                raise ValueError('from_ must be "now", "oldest" or a pair (epoch, seq)')
            self._start = from_
        else:
            epoch, seq = from_
            if not isinstance(epoch, str) or not wire.is_int(seq):
                raise ValueError('from_ must be "now", "oldest" or a pair (epoch, seq)')
            self.position = (epoch, seq)
        self._reset()

    def _reset(self) -> None:
        self.live = False
        self._greeted = False
        self._epoch = ""
        self._expected = 0
        self._hole: Optional[Gap] = None

    def open(self) -> None:
        """A new connection."""
        self._reset()

    def feed(self, message: wire.Message) -> Tuple[Optional[Dict[str, Any]], List[Item]]:
        """Take a message: what to send, and what to yield. Raises WireError and EventsError."""
        kind = message.get("type")
        if kind == "error":
            return None, self._error(message)
        if not self._greeted:
            if kind != "hello":
                raise wire.WireError("bad_message", f'the gateway sent {kind!r} instead of "hello"')
            wire.check(message)
            if message["protocol"] != "gatepost-events":
                raise EventsError("bad_message", f'this is not an event socket but {message["protocol"]!r}')
            if 1 not in message["versions"]:
                raise EventsError("version", f'the gateway speaks versions {message["versions"]}')
            self._greeted = True
            return self._subscribe(), []
        if kind == "subscribed" and not self.live:
            wire.check(message)
            self._subscribed(message["epoch"], message["from"])
            return None, []
        if kind == "event" and self.live:
            wire.check(message)
            return None, self._event(message)
        if kind == "gap" and self.live:
            wire.check_must(message)
            return None, self._gap(message)
        if kind == "heartbeat" and self.live:
            wire.check(message)
            return None, self._heartbeat(message["seq"])
        if kind in ("hello", "subscribed", "event", "gap", "heartbeat"):
            raise wire.WireError("bad_message", f'unexpected "{kind}" from the gateway')
        return None, []  # a type of a later version

    def _subscribe(self) -> Dict[str, Any]:
        message: Dict[str, Any] = {"type": "subscribe", "version": 1}
        if self._name is not None:
            message["name"] = self._name
        message["events"] = self._events
        message["from"] = self._start
        if self.position is not None:
            message["from"] = {"epoch": self.position[0], "seq": self.position[1]}
        if self._on_lag != "gap":
            message["on_lag"] = self._on_lag
        return message

    def _error(self, message: wire.Message) -> List[Item]:
        code, text = str(message.get("code")), str(message.get("message"))
        if message.get("fatal") and code in _PERMANENT:
            raise EventsError(code, text)
        log.warning("the gateway reports %s: %s", code, text)
        return []

    def _subscribed(self, epoch: str, first: int) -> None:
        self.live = True
        self._epoch, self._expected = epoch, first - 1
        if self.position is None:
            self.position = (epoch, first - 1)
        elif self.position[0] != epoch:
            self._hole = Gap("unexplained", epoch)
        elif first > self.position[1] + 1:
            # To be announced by a gap. Until then the position stays before the hole.
            start = self.position[1] + 1
            self._hole = Gap("unexplained", epoch, start, first - 1, first - start)
        else:
            self.position = (epoch, first - 1)

    def _event(self, message: wire.Message) -> List[Item]:
        items: List[Item] = []
        seq, prev = message["seq"], message["prev"]
        if self._hole is not None:
            items.append(self._hole)
            self._hole = None
        if prev > self._expected:
            start = self._expected + 1
            items.append(Gap("unexplained", self._epoch, start, prev, prev - self._expected))
        elif prev < self._expected:
            items.append(Gap("unexplained", self._epoch))
        self._expected = seq
        items.append(
            Event(
                self._epoch, seq, message["event"], message["time"],
                message.get("session"), message.get("transaction"), message["data"], message,
            )  # fmt: skip
        )
        return items

    def _gap(self, message: wire.Message) -> List[Item]:
        why, values = message.get("why"), [message.get(key) for key in ("from", "to", "lost")]
        if not isinstance(why, str) or not all(value is None or wire.is_int(value) for value in values):
            raise wire.WireError("bad_message", "a gap of an unknown shape")
        start, end, lost = values
        hole = self._hole
        if hole is not None:
            if hole.start is None or hole.end is None:
                covered = why == "epoch"
            else:
                covered = start is not None and end is not None and start <= hole.start and end >= hole.end
            if covered:
                self._hole = None
        if end is not None:
            self._expected = end
        elif self._hole is None and self.position is not None and self.position[0] != self._epoch:
            self.position = (self._epoch, self._expected)
        return [Gap(why, self._epoch, start, end, lost)]

    def _heartbeat(self, seq: int) -> List[Item]:
        """All up to seq is dealt with: what is not wanted need not be asked for again."""
        items: List[Item] = []
        if self._hole is not None:
            items.append(self._hole)
            self._hole = None
        if self.position is None or self.position[0] != self._epoch or self.position[1] < seq:
            self.position = (self._epoch, seq)
        return items

    def delivered(self, item: Item) -> None:
        """The user has been given this item: a new connection goes on after it."""
        if item.position is not None:
            self.position = item.position
