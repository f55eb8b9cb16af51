"""Plays one dialogue against a running gatepost: as the client, the policy service and a subscriber."""

from __future__ import annotations

import asyncio
import contextlib
import re
import ssl
from typing import Any, Dict, List, Optional

import gatepost
from dialogue_file import Dialogue, Item
from gateway import HOSTNAME, Gateway

WAIT = 20.0  # seconds for anything that should happen at once; the machine may be slow


class Failure(Exception):
    """Something went otherwise than written."""


def fault(dialogue: Dialogue, item: Optional[Item], expected: str, found: str) -> Failure:
    line = item.line if item else dialogue.items[-1].line
    return Failure(f"{dialogue.path}:{line}: expected {expected}; found {found}")


def show(octets: bytes) -> str:
    text = octets[:600].decode("latin-1").encode("unicode_escape").decode()
    return text + ("..." if len(octets) > 600 else "")


# --- facts of requests and events, as text to compare with a line's fields ---


def params_text(mailbox: Dict[str, Any]) -> str:
    return ",".join(name if value is None else f"{name}={value}" for name, value in mailbox["params"])


def octets_of(values: Dict[str, Any], name: str) -> bytes:
    if name + "_b64" in values or isinstance(values.get(name), str):
        return gatepost.raw(values, name)
    value = values.get(name, "-")
    return (str(value).lower() if isinstance(value, bool) else str(value)).encode()


def fact(request: gatepost.Request, name: str) -> bytes:
    context = request.context
    if name == "helo":
        return octets_of(context["helo"], "name") if "helo" in context else b"-"
    if name == "login":
        return octets_of(context["auth"], "user") if "auth" in context else b"-"
    if name == "from":
        return octets_of(context["mail"], "address") if "mail" in context else b"-"
    if name == "to":
        if "recipients" not in context:
            return b"-"
        return b",".join(octets_of(mailbox, "address") for mailbox in context["recipients"])
    if name == "params":
        return params_text(request.args).encode()
    return octets_of(request.args, name)


# --- the policy service ---


class Script:
    """Asserts the H: lines in their order and answers with the V: lines."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue
        self._waiting = dialogue.of("H")
        self.failure: Optional[Failure] = None
        self.finished = asyncio.Event()
        if not self._waiting:
            self.finished.set()

    def service(self) -> gatepost.Service:
        service = gatepost.Service("script", body=["headers"])
        for hook in self._dialogue.hooks:
            getattr(service, hook)(self._tell if hook == "disconnect" else self._ask)
        return service

    def _tell(self, request: gatepost.Request) -> None:
        self._ask(request)

    def _ask(self, request: gatepost.Request) -> gatepost.Verdict:
        item = self._waiting[0] if self._waiting else None
        if item is None or item.word != request.hook:
            expected = f"H: {item.word}" if item else "no more hooks"
            self._fail(fault(self._dialogue, item, expected, f"H: {request.hook} {request.args}"))
            return gatepost.tempfail("Not in the dialogue")
        del self._waiting[0]
        if not self._waiting:
            self.finished.set()
        for name, value in item.fields:
            found = fact(request, name)
            if found != value:
                expected = f"H: {item.word} {name}={show(value)}"
                self._fail(fault(self._dialogue, item, expected, f"{name}={show(found)}"))
        return self._verdict(item)

    def _verdict(self, item: Item) -> gatepost.Verdict:
        values: Dict[str, Any] = {}
        text: List[str] = []
        for name, octets in item.verdict_fields:
            value = octets.decode()
            if name == "text":
                text.append(value)
            elif name in ("set_sender", "add_recipient", "drop_recipient"):
                argument: object = int(value) if name == "drop_recipient" else value
                values["edits"] = (*values.get("edits", ()), getattr(gatepost.edits, name)(argument))
            else:
                values[name] = int(value) if name == "code" else value
        return gatepost.Verdict(item.verdict, tuple(text) or None, **values)

    def _fail(self, failure: Failure) -> None:
        self.failure = self.failure or failure
        self.finished.set()


# --- the subscriber ---


class Watcher:
    """Collects the events of the one session that a dialogue has."""

    def __init__(self, dialogue: Dialogue, path: str) -> None:
        self._dialogue = dialogue
        self._path = path
        self.ready = asyncio.Event()
        self.disconnected = asyncio.Event()
        self.failure: Optional[Failure] = None
        self.events: List[gatepost.Event] = []

    async def run(self) -> None:
        async for item in gatepost.events(self._path, from_="oldest", name="dialogue"):
            if isinstance(item, gatepost.Gap):
                self.failure = self.failure or fault(self._dialogue, None, "no gap", repr(item))
                continue
            if item.name == "gateway.ready":
                self.ready.set()
            if item.session is not None:
                self.events.append(item)
            if item.name == "disconnect":
                self.disconnected.set()

    def check(self, reason: str) -> None:
        if self.failure:
            raise self.failure
        names = [event.name for event in self.events]
        for name in ("connect", "disconnect"):
            if names.count(name) != 1:
                raise fault(self._dialogue, None, f"one {name} event", f"events {names}")
        if names[0] != "connect" or names[-1] != "disconnect":
            raise fault(self._dialogue, None, "events between connect and disconnect", str(names))
        if len({event.session for event in self.events}) != 1:
            raise fault(self._dialogue, None, "events of one session", repr(self.events))
        found = self.events[-1].data.get("reason")
        if found != reason:
            raise fault(self._dialogue, None, f"E: disconnect reason={reason}", f"reason={found}")
        self._check_counts(names, self.events[-1].data)
        self._check_written()

    def _check_counts(self, names: List[str], end: Dict[str, Any]) -> None:
        """Each command is an event, and so is each message; the disconnect event counts the same."""
        found = {"commands": names.count("command"), "messages": self.accepted()}
        for name, count in found.items():
            if end[name] != count:
                text = f"{count} events and {name}={end[name]} at disconnect"
                raise fault(self._dialogue, None, f"as many events as {name}", text)

    def accepted(self) -> int:
        """How many messages were answered with 2yz; LMTP answers one several times."""
        return len({event.transaction for event in self._successes()})

    def stored(self) -> int:
        """How many of them were not thrown away; LMTP says of each recipient whether it was."""
        return len({event.transaction for event in self._successes() if not event.data.get("discarded")})

    def _successes(self) -> List[gatepost.Event]:
        return [event for event in self.events if event.name == "message" and event.data["code"] < 300]

    def _check_written(self) -> None:
        """The E: lines in their order, other events between them."""
        place = 0
        for item in self._dialogue.of("E"):
            while place < len(self.events) and not self._fits(item, self.events[place]):
                place += 1
            if place == len(self.events):
                found = "\n\t".join(f"{event.name} {event.data}" for event in self.events)
                text = " ".join(f"{name}={show(value)}" for name, value in item.fields)
                raise fault(self._dialogue, item, f"E: {item.word} {text}", f"\n\t{found}")
            place += 1

    @staticmethod
    def _fits(item: Item, event: gatepost.Event) -> bool:
        return event.name == item.word and all(
            octets_of(event.data, name) == value for name, value in item.fields
        )


# --- the client ---


class Client:
    def __init__(self, dialogue: Dialogue, gateway: Gateway, implicit_tls: bool) -> None:
        self._dialogue = dialogue
        self._gateway = gateway
        self._implicit_tls = implicit_tls
        self.closed = False

    @staticmethod
    def _tls() -> ssl.SSLContext:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    async def open(self) -> None:
        tls = self._tls() if self._implicit_tls else None
        name = HOSTNAME if tls else None
        self._reader, self._writer = await asyncio.open_connection(
            *self._gateway.address, limit=1 << 20, ssl=tls, server_hostname=name
        )

    async def _line(self, item: Item) -> bytes:
        expected = f"S: {show(item.octets)}"
        try:
            line = await asyncio.wait_for(self._reader.readuntil(b"\r\n"), WAIT)
        except asyncio.TimeoutError:
            raise fault(self._dialogue, item, expected, f"nothing for {WAIT:.0f} s") from None
        except asyncio.IncompleteReadError as error:
            found = f"the end of the connection after {show(error.partial)!r}"
            raise fault(self._dialogue, item, expected, found) from None
        except OSError as error:
            raise fault(self._dialogue, item, expected, f"{error!r}") from None
        return line[:-2]

    async def _reply(self, item: Item) -> None:
        line = await self._line(item)
        # A dialogue written in clear and played over TLS: EHLO lists one extension more there.
        if line == b"250-REQUIRETLS" and self._implicit_tls and not self._dialogue.settings.get("implicit_tls"):
            line = await self._line(item)
        pattern = b"[A-Za-z0-9]+".join(re.escape(part) for part in item.octets.split(b"*"))
        if not re.fullmatch(pattern, line):
            raise fault(self._dialogue, item, f"S: {show(item.octets)}", f"S: {show(line)}")

    async def _end(self, item: Item) -> None:
        self.closed = True
        if item.word == "client_gone":
            self._writer.transport.abort()
            return
        rest = b""
        try:
            rest = await asyncio.wait_for(self._reader.read(), WAIT)
        except asyncio.TimeoutError:
            raise fault(self._dialogue, item, f"X: {item.word}", "an open connection") from None
        except OSError:
            pass  # a reset: octets of ours were not read any more
        if rest:
            raise fault(self._dialogue, item, f"X: {item.word}", f"S: {show(rest)}")

    async def play(self) -> None:
        for item in self._dialogue.items:
            if item.mark == "C":
                self._writer.write(item.octets)
            elif item.mark == "W":
                self._writer.write_eof()
            elif item.mark == "S":
                await self._reply(item)
            elif item.mark == "T" and not self._implicit_tls:
                await asyncio.wait_for(self._writer.start_tls(self._tls(), server_hostname=HOSTNAME), WAIT)
            elif item.mark == "X":
                await self._end(item)
        if not self.closed:
            self._writer.transport.abort()

    def abort(self) -> None:
        with contextlib.suppress(AttributeError):
            self._writer.transport.abort()


# --- all of it ---


async def wait_for(event: asyncio.Event, failure: Failure, seconds: float = WAIT) -> None:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except asyncio.TimeoutError:
        raise failure from None


def check_stored(dialogue: Dialogue, gateway: Gateway, accepted: int) -> None:
    """Each accepted message is in the Maildir, once; what was refused is not there."""
    messages = gateway.stored()
    stored = [message.octets for message in messages]
    if len(stored) != accepted:
        raise fault(dialogue, None, f"{accepted} stored messages", f"{len(stored)}: {stored!r:.600}")
    for item in dialogue.of("M"):
        if not any(all(message.fact(name) == value for name, value in item.fields) for message in messages):
            raise fault(dialogue, item, f"M: {item.fields}", f"M: {messages!r:.600}")
    for item in dialogue.of("D"):
        if item.octets not in stored:
            found = ", ".join(show(message) for message in stored)
            raise fault(dialogue, item, f"D: {show(item.octets)}", f"D: {found}")
        stored.remove(item.octets)


async def play_session(dialogue: Dialogue, gateway: Gateway, client: Client, script: Script) -> None:
    watcher = Watcher(dialogue, gateway.events_socket)
    watching = asyncio.ensure_future(watcher.run())
    try:
        await wait_for(watcher.ready, fault(dialogue, None, "a ready gateway", gateway.log()))
        await client.open()
        try:
            await client.play()
        except Failure as failure:
            raise script.failure or failure from None
        await wait_for(watcher.disconnected, fault(dialogue, None, "a disconnect event", "none"))
        # All hooks were asked before this event was sent; only their way here may take longer.
        await wait_for(script.finished, fault(dialogue, None, "all hooks asked", "not all"), 5.0)
        if script.failure:
            raise script.failure
        ends = dialogue.of("X")
        watcher.check(ends[-1].word if ends else "client_gone")
        check_stored(dialogue, gateway, watcher.stored())
    finally:
        client.abort()
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await watching


async def play(dialogue: Dialogue, program: str, tls: str, certificate: str, number: int) -> None:
    """tls: what the listener speaks. Raises Failure, GatewayError."""
    gateway = Gateway(program, dialogue, tls, certificate, number)
    script = Script(dialogue)
    serving: List["asyncio.Future[Any]"] = []
    try:
        if dialogue.hooks:
            serving.append(asyncio.ensure_future(script.service().serve(gateway.policy_socket)))
            await asyncio.sleep(0)
        await gateway.start()
        session = asyncio.ensure_future(
            play_session(dialogue, gateway, Client(dialogue, gateway, tls == "implicit"), script)
        )
        died = asyncio.ensure_future(gateway.died())
        await asyncio.wait({session, died}, return_when=asyncio.FIRST_COMPLETED)
        died.cancel()
        if not session.done():
            session.cancel()
            await asyncio.wait({session, died})
            died.result()
        await asyncio.wait({session})
        session.result()
        await gateway.stop()
    finally:
        with contextlib.suppress(Exception):
            await gateway.stop()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        gateway.clean()
