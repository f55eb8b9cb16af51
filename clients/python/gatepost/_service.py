"""The policy side: a Unix socket server that the gateway dials."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import inspect
import logging
import os
import signal
import socket
import stat
from typing import Any, Awaitable, Callable, Dict, List, Optional, Sequence, Set, TypeVar, Union, overload

from . import wire
from ._request import Request
from ._verdict import Verdict, tempfail
from ._version import __version__

log = logging.getLogger("gatepost")

_HANDSHAKE = 10.0  # seconds for each of the gateway's two handshake messages
_NOTIFICATIONS = 1024  # disconnect functions at work on one connection before reading pauses
_FAILURE = tempfail("Temporary policy failure, try again later", 451, "4.3.0")

VerdictFunction = Callable[[Request], Union[Verdict, Awaitable[Verdict]]]
NotifyFunction = Callable[[Request], Optional[Awaitable[None]]]
_V = TypeVar("_V", bound=VerdictFunction)
_N = TypeVar("_N", bound=NotifyFunction)


class _Registry:
    def __init__(self, service: Service, hook: str) -> None:
        self._service, self._hook = service, hook

    def _decorate(self, function: Any, need: Sequence[str], want: Sequence[str]) -> Any:
        options: Dict[str, List[str]] = {}
        for key, names in (("need", need), ("want", want)):
            if isinstance(names, str) or not all(isinstance(name, str) for name in names):
                raise ValueError(f"{key} must be a list of strings")
            if names:
                options[key] = list(names)

        def add(function: Any) -> Any:
            if not callable(function):
                raise TypeError(f"the function for {self._hook} is not callable")
            if self._hook in self._service._functions:
                raise ValueError(f"there is a function for {self._hook} already")
            self._service._functions[self._hook] = function
            self._service._options[self._hook] = options
            return function

        return add if function is None else add(function)


class _VerdictHook(_Registry):
    @overload
    def __call__(self, function: _V) -> _V: ...
    @overload
    def __call__(self, *, need: Sequence[str] = ..., want: Sequence[str] = ...) -> Callable[[_V], _V]: ...
    def __call__(self, function: Any = None, *, need: Sequence[str] = (), want: Sequence[str] = ()) -> Any:
        return self._decorate(function, need, want)


class _NotifyHook(_Registry):
    @overload
    def __call__(self, function: _N) -> _N: ...
    @overload
    def __call__(self, *, need: Sequence[str] = ..., want: Sequence[str] = ...) -> Callable[[_N], _N]: ...
    def __call__(self, function: Any = None, *, need: Sequence[str] = (), want: Sequence[str] = ()) -> Any:
        return self._decorate(function, need, want)


class Service:
    """A policy service.

    name      how it calls itself in the gateway's log
    body      for the message hook: modes in order of preference, of "none", "headers", "inline" and
              "path"; the gateway uses the first that fits. "inline" fits small messages only and
              cannot be the last one: ["inline", "path"]
    window    how many requests may be open on one connection, from 1; the gateway may lower it
    software  name and version of the program, default this package's

    Decorators `connect`, `ehlo`, `starttls`, `secure`, `mail`, `rcpt`, `data` and `message` register a
    function (request) -> Verdict for that hook, `disconnect` one that returns nothing. With
    @service.rcpt(need=["tls"]) the gateway refuses the service if it cannot tell that fact;
    want= only asks for it.

    Functions may be async or plain. Async ones run concurrently and their answers are sent in any
    order. A plain function runs directly in the event loop: keep it short, for while it runs
    nothing else does.

    An exception, None or anything else that is not a Verdict is logged and answered with
    tempfail 451 4.3.0, never with acceptance. When the gateway cancels a request (the client
    has gone, or the deadline has passed) the async function is cancelled, and the answer that
    is still owed is sent.

    Wrong arguments raise ValueError. Messages are logged under the name "gatepost".
    """

    def __init__(
        self, name: str, *, body: Sequence[str] = ("none",), window: int = 64, software: Optional[str] = None
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError("a service needs a name")
        if isinstance(body, str):
            raise ValueError('body must be a list, such as ["headers"]')
        wire.check_body(body)
        if not wire.is_int(window, 1):
            raise ValueError("window must be an integer of at least 1")
        self.name = name
        self.body = list(body)
        self.window = window
        self.software = software or f"gatepost-python/{__version__}"
        self._functions: Dict[str, Callable[[Request], Any]] = {}
        self._options: Dict[str, Dict[str, List[str]]] = {}
        self._connections: Set[asyncio.Task[None]] = set()
        self._stop: Optional[Callable[[], None]] = None
        self._said: Set[str] = set()
        self.connect = _VerdictHook(self, "connect")
        self.ehlo = _VerdictHook(self, "ehlo")
        self.starttls = _VerdictHook(self, "starttls")
        self.secure = _VerdictHook(self, "secure")
        self.mail = _VerdictHook(self, "mail")
        self.rcpt = _VerdictHook(self, "rcpt")
        self.data = _VerdictHook(self, "data")
        self.message = _VerdictHook(self, "message")
        self.disconnect = _NotifyHook(self, "disconnect")

    def run(self, path: Union[str, "os.PathLike[str]"], *, mode: int = 0o660, grace: float = 5.0) -> None:
        """Serve until SIGTERM or SIGINT, then finish open requests for up to `grace` seconds.

        A stale socket at `path` is replaced; a live one, or anything that is not a socket,
        raises OSError. `mode` is the permission mode of the new socket: the gateway's user
        must be able to write to it.
        """
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(self.serve(path, mode=mode, grace=grace, signals=True))

    async def serve(
        self, path: Union[str, "os.PathLike[str]"], *, mode: int = 0o660, grace: float = 5.0, signals: bool = False
    ) -> None:
        """run() for a program with an event loop of its own. Ends after stop(), or when cancelled."""
        if not self._functions:
            raise ValueError("the service has no function for any hook")
        loop = asyncio.get_running_loop()
        stopping = asyncio.Event()
        path = os.fspath(path)
        listener = _listen(path, mode)
        created = os.stat(path)
        self._stop = lambda: _call_in(loop, stopping.set)
        handled = (signal.SIGTERM, signal.SIGINT) if signals else ()
        for number in handled:
            loop.add_signal_handler(number, stopping.set)

        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._connections.add(task)
            try:
                await self.handle(reader, writer, stopping=stopping, grace=grace)
            finally:
                self._connections.discard(task)

        server = await asyncio.start_unix_server(connected, sock=listener, limit=wire.MAX_LINE)
        log.info("%s is listening at %s", self.name, path)
        try:
            await stopping.wait()
        finally:
            stopping.set()
            self._stop = None
            server.close()
            with contextlib.suppress(OSError):
                now = os.stat(path)
                if (now.st_dev, now.st_ino) == (created.st_dev, created.st_ino):
                    os.unlink(path)
            if self._connections:
                await asyncio.wait(set(self._connections), timeout=grace + 1)
            for number in handled:
                loop.remove_signal_handler(number)

    def stop(self) -> None:
        """End serve() or run(); may be called from any thread."""
        if self._stop is not None:
            self._stop()

    async def handle(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        stopping: Optional[asyncio.Event] = None,
        grace: float = 5.0,
    ) -> None:
        """Serve one connection of a gateway to its end. The reader's limit should be wire.MAX_LINE."""
        await _Connection(self, reader, writer).run(stopping or asyncio.Event(), grace)

    def _say_once(self, level: int, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            log.log(level, "%s", text)


class _Connection:
    def __init__(self, service: Service, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._service = service
        self._reader = reader
        self._writer = writer
        self._spool: Optional[str] = None
        self._lost = False
        self._pending: Dict[int, asyncio.Task[Any]] = {}
        self._notifications: Set[asyncio.Task[Any]] = set()

    async def run(self, stopping: asyncio.Event, grace: float) -> None:
        reading = asyncio.ensure_future(self._talk())
        stopped = asyncio.ensure_future(stopping.wait())
        self._lost = True  # unless the end is one that the service wants
        try:
            await asyncio.wait({reading, stopped}, return_when=asyncio.FIRST_COMPLETED)
            self._lost = reading.done()
        finally:
            stopped.cancel()
            await self._finish_up(reading, grace)

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


def _call_in(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    with contextlib.suppress(RuntimeError):  # the loop may have been closed meanwhile
        loop.call_soon_threadsafe(function)


def _listen(path: str, mode: int) -> socket.socket:
    """A listening Unix socket that never exists with a wider mode than asked for."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise OSError(errno.EEXIST, "exists and is not a socket", path)
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(path)
            except ConnectionRefusedError:
                os.unlink(path)
            else:
                raise OSError(errno.EADDRINUSE, "another service is listening", path)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.bind(path)
        os.chmod(path, mode)  # nobody can connect before listen()
        listener.listen(64)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener
