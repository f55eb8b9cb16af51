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
import threading
from concurrent.futures import ThreadPoolExecutor
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
        wire.check_need(self._hook, need)

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
    body      for the message hook: modes in order of preference; the gateway uses the first that fits.
                "none"     nothing of it
                "headers"  the header section
                "inline"   all of it, in the request. Fits small messages only, so it cannot be the last
                "path"     a file in the gateway's spool, which this process must be able to read
                "fd"       an open file, passed with the request
              All are read with request.body. A typical list is ["inline", "fd"]
    window    how many requests may be open on one connection, from 1; the gateway may lower it
    software  name and version of the program, default this package's
    threads   how many plain functions work at a time (default 16). With 1 they need no locks: one
              after the other, always in the same thread

    Decorators `connect`, `ehlo`, `starttls`, `secure`, `auth`, `mail`, `rcpt`, `data` and `message`
    register a function (request) -> Verdict for that hook, `disconnect` one that returns nothing. With
    @service.rcpt(need=["tls"]) the gateway refuses the service if it can never tell that fact;
    with want= it says so in request.ready.missing. The facts are: client, client.name,
    client.proxy, listener, helo, tls, tls.peer, auth, labels, and mail from rcpt, recipients from data on.

    Functions may be async or plain. Async ones run concurrently in the event loop; one that blocks stops
    all others, and a ping that is not answered within 15 s costs the connection. Plain ones run in
    a pool of threads, so they may block, and must lock what they share; one that never returns keeps the process
    from ending. Answers are sent in any order.

    An exception, None or anything else that is not a Verdict is logged and answered with
    tempfail 451 4.3.0, never with acceptance; so is a verdict that does not fit its hook. When the gateway
    cancels a request (the client has gone, or the deadline has passed) the async function is cancelled
    (a plain one goes on in its thread, in vain), and the answer that is still owed is sent.

    Wrong arguments raise ValueError. Messages are logged under the name "gatepost".
    """

    def __init__(
        self, name: str, *,
        body: Sequence[str] = ("none",), window: int = 64, software: Optional[str] = None,
        threads: int = 16,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ValueError("a service needs a name")
        if isinstance(body, str):
            raise ValueError('body must be a list, such as ["headers"]')
        wire.check_body(body)
        if not wire.is_int(window, 1):
            raise ValueError("window must be an integer of at least 1")
        if not wire.is_int(threads, 1):
            raise ValueError("threads must be an integer of at least 1")
        self.name = name
        self.body = list(body)
        self.threads = threads
        self._window = window
        self.software = software or f"gatepost-python/{__version__}"
        self._functions: Dict[str, Callable[[Request], Any]] = {}
        self._options: Dict[str, Dict[str, List[str]]] = {}
        self._connections: Set[Connection] = set()
        self._loop: Optional[asyncio.AbstractEventLoop] = None
        self._thread = 0
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
        stop, draining = asyncio.Event(), asyncio.Event()
        path = os.fspath(path)
        listener = _listen(path, mode)
        created = os.stat(path)
        self._loop, self._thread = loop, threading.get_ident()
        self._stop = stop.set
        handled = (signal.SIGTERM, signal.SIGINT) if signals else ()
        for number in handled:
            loop.add_signal_handler(number, stop.set)
        pool = ThreadPoolExecutor(self.threads, thread_name_prefix=self.name)
        tasks: Set[asyncio.Task[None]] = set()
        accepting = asyncio.ensure_future(self._accept(listener, pool, tasks, draining, grace))
        log.info("%s is listening at %s", self.name, path)
        try:
            await stop.wait()
        finally:
            accepting.cancel()
            await asyncio.wait({accepting})
            listener.close()
            with contextlib.suppress(OSError):
                now = os.stat(path)
                if (now.st_dev, now.st_ino) == (created.st_dev, created.st_ino):
                    os.unlink(path)
            draining.set()  # only now: a gateway that is told dials anew, and must not come here
            if tasks:
                await asyncio.wait(set(tasks), timeout=grace + 2)
            self._stop = self._loop = None
            pool.shutdown(wait=False, cancel_futures=True)
            for number in handled:
                loop.remove_signal_handler(number)

    async def _accept(
        self, listener: socket.socket, pool: ThreadPoolExecutor, tasks: Set[asyncio.Task[None]], draining: asyncio.Event, grace: float
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, _ = await loop.sock_accept(listener)
            except OSError as error:  # such as too many open files
                log.error("cannot accept a connection: %s", error)
                await asyncio.sleep(1)
                continue
            task = asyncio.ensure_future(self._serve(sock, pool, draining, grace))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    async def _serve(self, sock: socket.socket, pool: ThreadPoolExecutor, draining: asyncio.Event, grace: float) -> None:
        connection = Connection(self, sock, pool)
        self._connections.add(connection)
        try:
            await connection.run(draining, grace)
        finally:
            self._connections.discard(connection)

    def stop(self) -> None:
        """End serve() or run(); may be called from any thread."""
        if self._stop is not None:
            self._in_loop(self._stop)

    def window(self, n: int) -> None:
        """From now on at most n requests may be open on each connection; 0 pauses. May be called from any thread.

        A paused gateway asks nothing more: what it would ask waits half of its time at most, and has failed
        then, as the operator chose. Raises ValueError.
        """
        if not wire.is_int(n):
            raise ValueError(f"window must be an integer of at least 0, not {n!r}")
        self._window = n
        self._in_loop(self._tell_window, n)

    def _tell_window(self, n: int) -> None:
        for connection in self._connections:
            connection.window(n)

    def _in_loop(self, function: Callable[..., object], *args: Any) -> None:
        """Call a function in the event loop, from any thread: at once when this is the loop's."""
        loop = self._loop
        if loop is None:
            return
        if threading.get_ident() == self._thread:
            function(*args)
            return
        with contextlib.suppress(RuntimeError):  # the loop may have been closed meanwhile
            loop.call_soon_threadsafe(function, *args)

    def _say_once(self, level: int, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            log.log(level, "%s", text)


def _listen(path: str, mode: int) -> socket.socket:
    """A listening Unix socket that never exists with a wider mode than asked for.

    It listens under another name before it gets its own: a socket that is bound and does not listen yet looks dead, and
    another service that starts would take its place.
    """
    birth = f"{path}.{os.getpid()}"
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
        with contextlib.suppress(FileNotFoundError):
            os.unlink(birth)  # of a process with this number that died in the middle
        listener.bind(birth)
        os.chmod(birth, mode)  # nobody can connect before listen()
        listener.listen(64)
        os.link(birth, path)  # fails when the path is there: another service was faster
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(birth)
    return listener
