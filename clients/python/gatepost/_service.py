"""The policy side: a Unix socket server that the gateway dials."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import signal
import socket
import stat
from typing import Any, Awaitable, Callable, Dict, List, Optional, Sequence, Set, TypeVar, Union, overload

from . import wire
from ._connection import Connection
from ._request import Request
from ._verdict import Verdict
from ._version import __version__

log = logging.getLogger("gatepost")

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

    Decorators `connect`, `ehlo`, `starttls`, `secure`, `auth`, `mail`, `rcpt`, `data` and `message`
    register a function (request) -> Verdict for that hook, `disconnect` one that returns nothing. With
    @service.rcpt(need=["tls"]) the gateway refuses the service if it cannot tell that fact;
    want= only asks for it.

    Functions may be async or plain. Async ones run concurrently and their answers are sent in any
    order. A plain function runs directly in the event loop: keep it short, for while it runs
    nothing else does, and a ping that is not answered within 15 s costs the connection.

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
        self.auth = _VerdictHook(self, "auth")
        self.mail = _VerdictHook(self, "mail")
        self.rcpt = _VerdictHook(self, "rcpt")
        self.data = _VerdictHook(self, "data")
        self.message = _VerdictHook(self, "message")
        self.disconnect = _NotifyHook(self, "disconnect")

    def run(self, path: Union[str, "os.PathLike[str]"], *, mode: int = 0o660, grace: float = 5.0) -> None:
        """Serve until SIGTERM or SIGINT, then finish open requests for up to `grace` seconds.

        Before that the path is removed and the gateway is told (drain), so that it goes to the next process that
        listens there: to replace a service, end the old process and start the new one within a few seconds.

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
        await Connection(self, reader, writer).run(stopping or asyncio.Event(), grace)

    def _say_once(self, level: int, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            log.log(level, "%s", text)

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
