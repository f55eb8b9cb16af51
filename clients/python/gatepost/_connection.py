"""One connection of a gateway to a policy service: handshake, requests, replies."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import logging
import os
import socket
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any, Callable, Dict, Optional, Set

from . import wire
from ._channel import Channel
from ._ready import Ready
from ._request import Request
from ._verdict import Verdict, check_answer, tempfail

if TYPE_CHECKING:
    from ._service import Service

log = logging.getLogger("gatepost")

_HANDSHAKE = 10.0  # seconds for each of the gateway's two handshake messages
_NOTIFICATIONS = 1024  # disconnect functions at work on one connection before reading pauses
_FAILURE = tempfail("Temporary policy failure, try again later", 451, "4.3.0")


class Connection:
    """Takes the socket over. run() serves it to its end."""

    def __init__(self, service: Service, sock: socket.socket, pool: Executor) -> None:
        self._service = service
        self._channel = Channel(sock)
        self._pool = pool
        self._lost = False
        self._ready: Optional[Ready] = None
        self._pong = asyncio.Event()
        self._pending: Dict[int, asyncio.Task[Any]] = {}
        self._notifications: Set[asyncio.Task[Any]] = set()

    async def run(self, stopping: asyncio.Event, grace: float) -> None:
        reading = asyncio.ensure_future(self._talk())
        stopped = asyncio.ensure_future(stopping.wait())
        lost = True  # unless the end is one that the service wants
        try:
            await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if self._ready is not None and not reading.done():
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
        await self._channel.close()

    async def _expect(self, kind: str) -> Optional[wire.Message]:
        late = wire.WireError("bad_message", f'no "{kind}" from the gateway within {_HANDSHAKE:.0f} s')
        # Not asyncio.wait_for: before Python 3.12 it loses a cancellation that comes together with a message.
        timer = asyncio.get_running_loop().call_later(_HANDSHAKE, self._channel.fail, late)
        try:
            message = await self._channel.receive()
        finally:
            timer.cancel()
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
        window = service._window
        register.update(hooks=service._options, body=service.body, window=window or 1)
        self._send(register)
        message = await self._expect("ready")
        if message is None:
            return
        self._ready = Ready.of(message)
        if service._window != (window or 1):
            self.window(service._window)
        self._report(hello["gateway"]["name"], self._ready)
        while True:
            message = await self._channel.receive()
            if message is None:
                return
            self._take(message)
            while len(self._notifications) >= _NOTIFICATIONS:
                await asyncio.wait(self._notifications, return_when=asyncio.FIRST_COMPLETED)
            await self._channel.drain()
            await asyncio.sleep(0)  # lets the function start before the next line is read

    def _report(self, gateway: str, ready: Ready) -> None:
        service = self._service
        grants = f", granted {', '.join(ready.grants)}" if ready.grants else ""
        log.info("connected to %s as policy %s, mode %s%s", gateway, ready.policy, ready.mode, grants)
        for hook in service._functions:
            if hook not in ready.hooks:
                service._say_once(logging.WARNING, f"policy {ready.policy}: the gateway is not configured to ask at {hook}")
        for fact in ready.missing:
            service._say_once(logging.INFO, f"policy {ready.policy}: the gateway does not offer {fact}")

    def window(self, n: int) -> None:
        """At most n requests open on this connection from now on. Before ready it is told after it."""
        if self._ready is not None:
            self._send({"type": "window", "n": n})

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
        passed = _by_descriptor(message)
        descriptor = self._channel.descriptor() if passed else None
        function = None
        try:
            if number is not None and (not wire.is_int(number) or number in self._pending):
                raise wire.WireError("bad_message", f"the gateway sent a request with a bad id {number!r}")
            function = self._function_for(message, "the descriptor is missing" if passed and descriptor is None else "")
        finally:
            if function is None and descriptor is not None:
                os.close(descriptor)
        if function is None:
            return
        request = Request(message, self._ready, descriptor=descriptor, extend=functools.partial(self._extend, number))
        # The reply is sent by the callback: it comes even if the task is cancelled before it starts.
        task = asyncio.ensure_future(self._call(function, request))
        if request.hook == "disconnect" or number is None:
            self._notifications.add(task)
            task.add_done_callback(functools.partial(self._notified, request))
        else:
            self._pending[number] = task
            task.add_done_callback(functools.partial(self._answer, request, number))

    def _function_for(self, message: wire.Message, problem: str) -> Optional[Callable[[Request], Any]]:
        """None: the request cannot be understood. That was answered."""
        number = message.get("id")
        try:
            wire.check(message)
            if problem:
                raise wire.WireError("bad_message", problem)
            function = self._service._functions.get(message["hook"])
            if function is None:
                raise wire.WireError("unknown_hook", f"no function is registered for hook {message['hook']!r}")
            return function
        except wire.WireError as error:
            log.warning("request %s cannot be understood: %s", number, error)
            if number is not None:
                self._send(_FAILURE.message(number))
            return None

    async def _call(self, function: Callable[[Request], Any], request: Request) -> Any:
        """A plain function has a thread of the pool, so that the loop goes on (and answers pings) while it works."""
        if _is_async(function):
            return await function(request)
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        result = await loop.run_in_executor(self._pool, context.run, function, request)
        return await result if inspect.isawaitable(result) else result

    def _extend(self, number: Optional[int], milliseconds: int) -> bool:
        """request.more_time(), in any thread."""
        if number is None or number not in self._pending:
            return False
        self._service._in_loop(self._progress, number, milliseconds)
        return True

    def _progress(self, number: int, milliseconds: int) -> None:
        if number in self._pending:
            self._send({"type": "progress", "id": number, "extend_ms": milliseconds})

    def _notified(self, request: Request, task: asyncio.Task[Any]) -> None:
        self._notifications.discard(task)
        request.body.close()
        if not task.cancelled() and task.exception() is not None:
            log.error("the function for %s failed", request.hook, exc_info=task.exception())

    def _answer(self, request: Request, number: int, task: asyncio.Task[Any]) -> None:
        self._pending.pop(number, None)
        request.body.close()
        reply = _FAILURE.message(number)
        if task.cancelled():
            log.debug("request %s was cancelled", request.key)
        elif task.exception() is not None:
            log.error("the function for %s failed on request %s", request.hook, request.key, exc_info=task.exception())
        else:
            verdict = task.result()
            try:
                if not isinstance(verdict, Verdict):
                    raise TypeError(f"not a verdict: {verdict!r}")
                answer = verdict.message(number)
                check_answer(answer, request.message, request.ready.grants, request.ready.delivers)
                wire.encode(answer)
                reply = answer
            except (TypeError, ValueError) as error:
                log.error("the function for %s gave a bad answer to request %s: %s", request.hook, request.key, error)
        if not self._lost:
            self._send(reply)

    def _send(self, message: Dict[str, Any]) -> None:
        self._channel.send(wire.encode(message))


def _by_descriptor(message: wire.Message) -> bool:
    args = message.get("args")
    body = args.get("body") if isinstance(args, dict) else None
    return isinstance(body, dict) and body.get("mode") == "fd"


def _is_async(function: Callable[[Request], Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))
