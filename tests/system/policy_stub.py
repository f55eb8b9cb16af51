"""A policy service with one fault, which it shows on purpose. With --fault honest it has none.

    policy_stub.py SOCKET... --fault NAME [--after N] [--hook HOOK] [--restart]
    policy_stub.py --list

SOCKET may be HOOK=PATH: this socket registers that hook and no other. Each of several sockets has a process of
its own. --after N: the first N requests of a process are accepted properly. --restart: a process that ends
is started again, as a supervisor would do.
"""

import argparse
import contextlib
import ctypes
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterator, List, NoReturn, Tuple

HOOKS = ["connect", "ehlo", "starttls", "secure", "auth", "mail", "rcpt", "data", "message"]
LINE_MAX = 1048576
PR_SET_PDEATHSIG = 1

Message = Dict[str, Any]


def encode(**fields: Any) -> bytes:
    return json.dumps(fields).encode() + b"\n"


def reply(number: int, **fields: Any) -> bytes:
    return encode(**{"type": "reply", "id": number, "verdict": "accept", **fields})


class Closed(Exception):
    """The service closes this connection."""


class Line:
    """One connection of a gateway: an honest service, but for its fault."""

    def __init__(self, stub: "Stub", sock: socket.socket) -> None:
        self.stub, self.sock = stub, sock

    def send(self, octets: bytes) -> None:
        self.sock.sendall(octets)

    def register(self, version: int = 1) -> None:
        hooks: Dict[str, Dict[str, str]] = {hook: {} for hook in self.stub.hooks}
        self.send(encode(type="register", version=version, service="stub", hooks=hooks, window=256))

    def run(self) -> None:
        with contextlib.suppress(OSError, Closed), self.sock, self.sock.makefile("rb") as file:
            self.act("accept", {})
            for line in file:
                self.take(json.loads(line))

    def act(self, stage: str, message: Message) -> bool:
        """Shows the fault when this is its stage."""
        if self.stub.fault.stage != stage:
            return False
        self.stub.fault.act(self, message)
        return True

    def take(self, message: Message) -> None:
        kind = message["type"]
        if kind == "hello" and not self.act("hello", message):
            self.register()
            self.act("register", message)
        elif kind == "request" and "id" in message:
            if self.stub.is_honest() or not (self.act("request", message) or self.stub.fault.stage == "cancel"):
                self.send(reply(message["id"]))
        elif kind == "cancel":
            self.act("cancel", message)
        elif kind == "ping":
            self.send(encode(type="pong"))


# --- the faults ---


def nothing(line: Line, message: Message) -> None:
    pass


def close(line: Line, message: Message) -> None:
    raise Closed


def leave(line: Line, message: Message) -> None:
    os._exit(1)


def kill(line: Line, message: Message) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def read_no_more(line: Line, message: Message) -> None:
    threading.Event().wait()


def answer_half_and_close(line: Line, message: Message) -> None:
    line.send(reply(message["id"])[:20])
    raise Closed


def register_version_2(line: Line, message: Message) -> None:
    line.register(version=2)


def answer_late(line: Line, message: Message) -> None:
    for number in message["ids"]:
        line.send(reply(number))


def flood(line: Line, message: Message) -> None:
    for number in range(50):
        line.send(encode(type="x_noise", number=number) + encode(type="ping") + encode(type="pong"))
        line.send(reply(message["id"] + 1000000 + number))


def answers(make: Callable[[int], bytes]) -> Callable[[Line, Message], None]:
    def act(line: Line, message: Message) -> None:
        line.send(make(message["id"]))

    return act


def spoiled(octets: bytes) -> Callable[[Line, Message], None]:
    """An accept that a careless reader would take, with these octets as one more field."""
    return answers(lambda number: reply(number)[:-2] + b', "x_note": ' + octets + b"}\n")


@dataclass(frozen=True)
class Fault:
    """One row.

    does     what the service does
    stage    when it does it: at accept, hello, register, request or cancel; "listen": it never listens
    classes  the classes of failure that a question to it may end with; none: it is answered
    blamed   the code of the error that its author is told, if any
    """

    name: str
    does: str
    stage: str
    act: Callable[[Line, Message], None]
    classes: Tuple[str, ...]
    blamed: str = ""

    @property
    def registers(self) -> bool:
        """The gateway sees it as ready until the first question."""
        return self.stage in ("request", "cancel")


TIMEOUT = ("timeout",)
BAD = ("bad_reply",)
AWAY = ("unavailable",)
# The questions on a connection that has ended are asked a second time; those that come while it is down find none.
LOST = ("lost", "unavailable")
# A broken line ends the connection too, but what hung on it may have been refused.
BROKEN = ("bad_reply", "unavailable")


def always(octets: bytes) -> Callable[[Line, Message], None]:
    return answers(lambda number: octets)


def replies(**fields: Any) -> Callable[[Line, Message], None]:
    return answers(lambda number: reply(number, **fields))


def both(number: int) -> bytes:
    return b'{"type":"reply","id":%d,"verdict":"accept","verdict":"reject"}\n' % number


FAULTS = {
    fault.name: fault
    for fault in (
        Fault("honest", "accepts everything: no fault", "none", nothing, ()),
        Fault("hang", "never answers", "request", nothing, TIMEOUT),
        Fault("exit", "its process exits", "request", leave, LOST),
        Fault("kill", "its process is killed", "request", kill, LOST),
        Fault("garbage", "answers with what is no JSON", "request", always(b"\xff\xfe garbage }{\n"), BROKEN, "bad_json"),
        Fault("duplicate_keys", "accepts and rejects in one", "request", answers(both), BROKEN, "bad_json"),
        Fault("oversized_line", "sends a line above 1 MiB", "request", always(b" " * LINE_MAX + b"{}\n"), BROKEN, "line_too_long"),
        Fault("depth", "accepts, with JSON 10,000 levels deep", "request", spoiled(b"[" * 10000 + b"]" * 10000), BROKEN, "bad_json"),
        Fault("invalid_utf8", "accepts, with octets that are no UTF-8", "request", spoiled(b'"\xc3\x28"'), BROKEN, "bad_json"),
        Fault("nul", "accepts, with the escape of a NUL", "request", spoiled(b'"a\\u0000b"'), BROKEN, "bad_json"),
        Fault("wrong_id", "answers a question never asked", "request", answers(lambda n: reply(n + 1000000)), TIMEOUT, "unknown_id"),
        Fault("reply_twice", "answers twice", "request", answers(lambda n: reply(n) * 2), (), "unknown_id"),
        Fault("wrong_class", "tempfail with code 550", "request", replies(verdict="tempfail", code=550), BAD, "bad_reply"),
        Fault("crlf", "accepts, with CR LF in the text", "request", replies(text="OK\r\n250 forged"), BAD, "bad_reply"),
        Fault("unknown_verdict", "a verdict nobody knows", "request", replies(verdict="yes"), BAD, "bad_reply"),
        Fault("slow_reader", "stops reading", "request", read_no_more, TIMEOUT),
        Fault("half_line_close", "closes in the middle of a line", "request", answer_half_and_close, LOST),
        Fault("half_line", "half a line, then silence", "request", answers(lambda n: reply(n)[:20]), TIMEOUT),
        Fault("late_reply", "accepts when nobody waits any more", "cancel", answer_late, TIMEOUT),
        Fault("flood", "lines nobody asked for, and no reply", "request", flood, ("timeout", "overload"), "unknown_id"),
        Fault("endless_drain", "drains, and never finishes", "request", always(encode(type="drain")), ("timeout", "overload", *LOST)),
        Fault("closes_at_once", "closes before the hello", "accept", close, AWAY),
        Fault("closes_at_hello", "closes after the hello", "hello", close, AWAY),
        Fault("closes_when_ready", "closes after it has registered", "register", close, LOST),
        Fault("no_register", "never registers", "hello", nothing, AWAY),
        Fault("wrong_version", "registers with version 2", "hello", register_version_2, AWAY),
        Fault("no_listener", "a socket nobody listens at", "listen", nothing, AWAY),
    )
}


# --- the service ---


class Stub:
    """The service at one socket. Faults that end the process end yours, if you start() it there."""

    def __init__(self, path: str, fault: str, hooks: List[str], after: int = 0) -> None:
        self.fault, self.hooks, self.after = FAULTS[fault], hooks, after
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # It is there under its name when it can be connected to, not earlier.
        self._listener.bind(path + ".new")
        if self.fault.stage == "listen":
            self._listener.close()
        else:
            self._listener.listen(128)
        os.rename(path + ".new", path)

    def is_honest(self) -> bool:
        """Whether this request is one of the first N; called once for each."""
        with self._lock:
            self.after -= 1
            return self.after >= 0

    def start(self) -> None:
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while self.fault.stage != "listen":
                sock, _ = self._listener.accept()
                threading.Thread(target=Line(self, sock).run, daemon=True).start()


def die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def serve(path: str, fault: str, hooks: List[str], after: int) -> NoReturn:
    stub = Stub(path, fault, hooks, after)
    stub.serve()
    while True:
        signal.pause()


def supervise(start: Dict[str, Callable[[], Any]], restart: bool) -> None:
    """A process for each path, until SIGTERM."""
    running: Dict[int, str] = {}

    def run(path: str) -> None:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            die_with_parent()
            start[path]()
        running[pid] = path

    def stop(*unused: Any) -> NoReturn:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, stop)
    try:
        for path in start:
            run(path)
        while running:
            pid, _ = os.wait()
            path = running.pop(pid)
            if restart:
                time.sleep(0.01)
                run(path)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for pid in running:
            os.kill(pid, signal.SIGKILL)
        for pid in running:
            os.waitpid(pid, 0)


@contextlib.contextmanager
def running(fault: str, *sockets: str, options: Tuple[str, ...] = ()) -> Iterator["subprocess.Popen[bytes]"]:
    """The program, while the block runs; `sockets` as on its command line."""
    process = subprocess.Popen([sys.executable, "-I", __file__, *sockets, "--fault", fault, *options])
    try:
        end = time.monotonic() + 60
        while not all(os.path.exists(name.rpartition("=")[2]) for name in sockets):
            if process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the stub did not start: {process.returncode}")
            time.sleep(0.02)
        yield process
    finally:
        process.terminate()
        process.wait(60)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sockets", nargs="*", metavar="SOCKET")
    parser.add_argument("--fault", choices=list(FAULTS), default="honest")
    parser.add_argument("--after", type=int, default=0, metavar="N")
    parser.add_argument("--hook", choices=HOOKS, action="append", help="registered for SOCKETs without one; all when absent")
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--list", action="store_true", help="prints the faults")
    options = parser.parse_args()
    if options.list:
        for fault in FAULTS.values():
            print(f"{fault.name:18} {fault.does:40} {' '.join(fault.classes) or '-'}")
        return
    if not options.sockets:
        parser.error("name a socket")
    start: Dict[str, Callable[[], Any]] = {}
    for name in options.sockets:
        hook, _, path = name.rpartition("=")
        hooks = [hook] if hook else options.hook or HOOKS
        start[path] = functools.partial(serve, path, options.fault, hooks, options.after)
    die_with_parent()
    if len(start) == 1 and not options.restart:
        next(iter(start.values()))()
    supervise(start, options.restart)


if __name__ == "__main__":
    main()
