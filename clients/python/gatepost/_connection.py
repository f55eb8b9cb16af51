"""One connection of a gateway to a policy service: handshake, requests, replies."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Set

from . import wire
from ._request import Request
from ._verdict import Verdict, tempfail

if TYPE_CHECKING:
    from ._service import Service

log = logging.getLogger("gatepost")

_HANDSHAKE = 10.0  # seconds for each of the gateway's two handshake messages
_NOTIFICATIONS = 1024  # disconnect functions at work on one connection before reading pauses
_FAILURE = tempfail("Temporary policy failure, try again later", 451, "4.3.0")


class Connection:
    def __init__(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._service = service
        self._reader = reader
        self._writer = writer
        self._spool: Optional[str] = None
        self._lost = False
        self._ready = False
        self._pong = asyncio.Event()
        self._pending: Dict[int, asyncio.Task[Any]] = {}
        self._notifications: Set[asyncio.Task[Any]] = set()

    async def run(self, stopping: asyncio.Event, grace: float) -> None:
        reading = asyncio.ensure_future(self._talk())
        stopped = asyncio.ensure_future(stopping.wait())
        lost = True  # unless the end is one that the service wants
        try:
            await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self._ready and not reading.done():
                grace -= await self._drain(reading, grace)
            lost = reading.done()
        finally:
            self._lost = lost
            stopped.cancel()
            await self._finish_up(reading, grace)

    async def _drain(self, reading: asyncio.Future[None], grace: float) -> float:
        """Tells the gateway that no new requests are wanted, and reads those that are on their way; returns the seconds it took."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        self._pong.clear()
        self._send({"type": "drain"})
        self._send({"type": "ping"})  # the pong comes after the last request
        pong = asyncio.ensure_future(self._pong.wait())
        ends: Set[asyncio.Future[Any]] = {reading, pong}
        await asyncio.wait(ends, timeout=grace, return_when=asyncio.FIRST_COMPLETED)
        pong.cancel()
        return min(loop.time() - start, grace)

    async def _finish_up(self, reading: asyncio.Future[None], grace: float) -> None:
        reading.cancel()
        (result,) = await asyncio.gather(reading, return_exceptions=True)
        if isinstance(result, wire.WireError):
            log.warning("connection closed: %s", result)
        elif isinstance(result, OSError):
            log.info("connection lost: %s", result)
        elif isinstance(result, Exception):
            log.error("connection closed by an internal error", exc_info=result)
        if self._lost:
            for task in self._pending.values():
                task.cancel()
        tasks = {*self._pending.values(), *self._notifications}
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=grace)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=1)
        await asyncio.sleep(0)  # lets the last callbacks write their replies
        self._writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self._writer.wait_closed(), 1)

    async def _receive(self) -> Optional[wire.Message]:
        """The next message; None at the end of the stream."""
        while True:
            try:
                line = await self._reader.readuntil(b"\n")
            except asyncio.LimitOverrunError:
                raise wire.WireError("line_too_long", "the gateway sent a line that is too long") from None
            except asyncio.IncompleteReadError as error:
                if error.partial.strip():
                    raise wire.WireError("bad_json", "the gateway's last line is incomplete") from None
                return None
            message = wire.decode(line)
            if message is not None:
                return message

    async def _expect(self, kind: str) -> Optional[wire.Message]:
        try:
            message = await asyncio.wait_for(self._receive(), _HANDSHAKE)
        except asyncio.TimeoutError:
            raise wire.WireError("bad_message", f'no "{kind}" from the gateway within {_HANDSHAKE:.0f} s') from None
        if message is not None and message.get("type") == "error":
            self._gateway_error(message)
            return None
        if message is not None:
            if message.get("type") != kind:
                raise wire.WireError("bad_message", f'the gateway sent {message.get("type")!r} instead of "{kind}"')
            wire.check(message)
        return message

    async def _talk(self) -> None:
        hello = await self._expect("hello")
        if hello is None:
            return
        if hello["protocol"] != "gatepost-policy":
            raise wire.WireError("bad_message", f'this is a service for "gatepost-policy", not {hello["protocol"]!r}')
        if 1 not in hello["versions"]:
            raise wire.WireError("version", f'the gateway speaks versions {hello["versions"]}, this package version 1')
        service = self._service
        register: Dict[str, Any] = {"type": "register", "version": 1, "service": service.name, "software": service.software}
        register.update(hooks=service._options, body=service.body, window=service.window)
        self._send(register)
        ready = await self._expect("ready")
        if ready is None:
            return
        self._spool = ready.get("spool")
        self._ready = True
        log.info("connected to %s as policy %s", hello["gateway"]["name"], ready["policy"])
        for hook in service._functions:
            if hook not in ready["hooks"]:
                text = f"policy {ready['policy']}: the gateway is not configured to ask at {hook}"
                service._say_once(logging.WARNING, text)
        for fact in ready["missing"]:
            service._say_once(logging.INFO, f"policy {ready['policy']}: the gateway does not offer {fact}")
        while True:
            message = await self._receive()
            if message is None:
                return
            self._take(message)
            while len(self._notifications) >= _NOTIFICATIONS:
                await asyncio.wait(self._notifications, return_when=asyncio.FIRST_COMPLETED)
            await self._writer.drain()
            await asyncio.sleep(0)  # lets the function start before the next line is read

    def _take(self, message: wire.Message) -> None:
        kind = message.get("type")
        if kind == "request":
            self._request(message)
        elif kind == "cancel":
            wire.check(message)
            for number in message["ids"]:
                task = self._pending.get(number)
                if task is not None:
                    task.cancel()
        elif kind == "ping":
            wire.check(message)
            self._send({"type": "pong"})
        elif kind == "pong":
            wire.check(message)
            self._pong.set()
        elif kind == "error":
            self._gateway_error(message)
        elif kind in ("hello", "ready"):
            raise wire.WireError("bad_message", f'unexpected "{kind}" from the gateway')
        else:
            self._service._say_once(logging.WARNING, f"unknown message type {kind!r} from the gateway ignored")

    def _gateway_error(self, message: wire.Message) -> None:
        number = message.get("id")
        about = "" if number is None else f" about request {number}"
        log.warning("the gateway reports %s%s: %s", message.get("code"), about, message.get("message"))

    def _request(self, message: wire.Message) -> None:
        number = message.get("id")
        if number is not None and (not wire.is_int(number) or number in self._pending):
            raise wire.WireError("bad_message", f"the gateway sent a request with a bad id {number!r}")
        try:
            wire.check(message)
            request = Request(message, self._spool)
            function = self._service._functions.get(request.hook)
            if function is None:
                raise wire.WireError("unknown_hook", f"no function is registered for hook {request.hook!r}")
        except wire.WireError as error:
            log.warning("request %s cannot be understood: %s", number, error)
            if number is not None:
                self._send(_FAILURE.message(number))
            return
        # The reply is sent by the callback: it comes even if the task is cancelled before it starts.
        task = asyncio.ensure_future(_call(function, request))
        if request.hook == "disconnect" or number is None:
            self._notifications.add(task)
            task.add_done_callback(functools.partial(self._notified, request))
        else:
            self._pending[number] = task
            task.add_done_callback(functools.partial(self._answer, request, number))

    def _notified(self, request: Request, task: asyncio.Task[Any]) -> None:
        self._notifications.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("the function for %s failed", request.hook, exc_info=task.exception())

    def _answer(self, request: Request, number: int, task: asyncio.Task[Any]) -> None:
        self._pending.pop(number, None)
        verdict: Any = _FAILURE
        if task.cancelled():
            log.debug("request %s was cancelled", request.key)
        elif task.exception() is not None:
            log.error("the function for %s failed on request %s", request.hook, request.key, exc_info=task.exception())
        else:
            verdict = task.result()
            if not isinstance(verdict, Verdict):
                log.error("the function for %s returned %s instead of a verdict", request.hook, type(verdict).__name__)
                verdict = _FAILURE
        if not self._lost:
            self._send(verdict.message(number))

    def _send(self, message: Dict[str, Any]) -> None:
        if not self._writer.is_closing():
            self._writer.write(wire.encode(message))


async def _call(function: Callable[[Request], Any], request: Request) -> Any:
    result = function(request)
    return await result if inspect.isawaitable(result) else result
