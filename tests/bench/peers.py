"""The servers that gatepost is measured beside. Each starts on a free port of the loopback and stops with the block."""

import contextlib
import json
import os
import pathlib
import shutil
import sys
from typing import Callable, ContextManager, Dict, Iterator, List

from bench.goals import POSTFIX_MILTER, POSTFIX_QUEUE, SINK
from bench.machine import ROOT, Pids, Places, family, free_port, process, program, running_on, wait_for_banner, wait_until

sys.path.insert(0, str(ROOT / "tests" / "system"))

import programs  # noqa: E402
from test_interop_mta import Postfix  # noqa: E402


class Server:
    """One that runs. `pids` are its processes; `beside` those of what it asks, by name."""

    def __init__(self, port: int, pids: Pids, beside: Dict[str, Pids]) -> None:
        self.port, self.pids, self.beside = port, pids, beside


Start = Callable[[pathlib.Path, Places], ContextManager[Server]]


@contextlib.contextmanager
def smtp_sink(folder: pathlib.Path, places: Places) -> Iterator[Server]:
    """Postfix's test server: it asks nobody and throws all away."""
    with _sink(places.server, folder) as (port, pid):
        yield Server(port, lambda: [pid], {})


@contextlib.contextmanager
def _sink(where: "set[int]", folder: pathlib.Path) -> Iterator["tuple[int, int]"]:
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with process(where, "smtp-sink", *user, "-m", "20000", f"127.0.0.1:{port}", "1000", log=folder / "sink.log") as sink:
        wait_for_banner(port, "smtp-sink")
        yield port, sink.pid


@contextlib.contextmanager
def next_server(folder: pathlib.Path, places: Places) -> Iterator[int]:
    """The port of a sink that another server passes its mail on to. It runs where the load does and is not counted."""
    with _sink(places.load, folder) as (port, _):
        yield port


@contextlib.contextmanager
def milter(folder: pathlib.Path, places: Places) -> Iterator["tuple[str, int]"]:
    """A filter in C that is called at every stage. Its address for Postfix, and its process."""
    port = free_port()
    with process(places.server, str(program("milter")), f"inet:{port}@127.0.0.1", log=folder / "milter.log") as started:
        # By the table of sockets: it would take a connection for a Postfix.
        listening = f"0100007F:{port:04X} 00000000:0000 0A"
        wait_until(lambda: listening in pathlib.Path("/proc/net/tcp").read_text(), "the milter")
        yield f"inet:127.0.0.1:{port}", started.pid


@contextlib.contextmanager
def postfix(folder: pathlib.Path, places: Places, kind: str, with_milter: bool) -> Iterator[Server]:
    """A Postfix of its own. `kind` "proxy": it passes on what comes to a sink, before its queue. "queue": it accepts into its queue,
    from which all is thrown away; a load is only over when that is empty, since it is work of those messages."""
    options = "relayhost =\nmax_use = 100000\n"
    beside: Dict[str, Pids] = {}
    with contextlib.ExitStack() as stack:
        if kind == "proxy":
            options += f"smtpd_proxy_filter = 127.0.0.1:{stack.enter_context(next_server(folder, places))}\n"
        else:
            options += "relay_transport = discard:\ndefault_transport = discard:\n"
        if with_milter:
            address, pid = stack.enter_context(milter(folder, places))
            options += f"smtpd_milters = {address}\nmilter_default_action = tempfail\n"
            beside["milter"] = lambda: [pid]
        with running_on(places.server):
            server = stack.enter_context(Postfix(0, options))
        wait_for_banner(server.smtpd, "Postfix")
        master = int((server.folder / "queue" / "pid" / "master.pid").read_text())

        def pids() -> List[int]:
            wait_until(server.is_empty, "an empty queue of Postfix", 300)
            return family(master)

        yield Server(server.smtpd, pids, beside)


SMTP_SERVER = """
const { SMTPServer } = require(MODULE);
const server = new SMTPServer({
    authOptional: true, disabledCommands: ['AUTH', 'STARTTLS'], disableReverseLookup: true, logger: false, size: 64 * 1024 * 1024,
    onConnect(session, callback) { callback(); },
    onMailFrom(address, session, callback) { callback(); },
    onRcptTo(address, session, callback) { callback(); },
    onData(stream, session, callback) { stream.on('end', () => callback()); stream.resume(); },
});
server.on('error', () => {});
server.listen(PORT, '127.0.0.1');
process.on('SIGTERM', () => process.exit(0));
"""


@contextlib.contextmanager
def nodemailer(folder: pathlib.Path, places: Places) -> Iterator[Server]:
    """smtp-server with callbacks that accept; the message's stream is thrown away."""
    port = free_port()
    script = folder / "server.js"
    module = programs.npm_package("smtp-server", programs.SMTP_SERVER) / "smtp-server"
    script.write_text(SMTP_SERVER.replace("MODULE", json.dumps(str(module))).replace("PORT", str(port)))
    with process(places.server, "node", str(script), log=folder / "node.log") as server:
        wait_for_banner(port, "smtp-server")
        yield Server(port, lambda: family(server.pid), {})


HARAKA_PLUGIN = """
exports.hook_lookup_rdns = (next) => next(OK, 'localhost');
exports.hook_rcpt = (next) => next(OK);
exports.hook_queue = (next) => next(OK);
"""


@contextlib.contextmanager
def haraka(folder: pathlib.Path, places: Places) -> Iterator[Server]:
    """Haraka in one process with one plugin, which takes every recipient and every message and keeps none. Its own queue/discard
    does the same with a line of the log for each message. It looks no names up, as no other server here does."""
    port = free_port()
    package = programs.npm_package("Haraka", programs.HARAKA) / "Haraka"
    for name, text in {
        "config/smtp.ini": f"listen=127.0.0.1:{port}\n",
        "config/plugins": "accept\n",
        "config/me": "mx.example.com\n",
        "config/log.ini": "level=error\n",
        "config/connection.ini": (package / "config" / "connection.ini").read_text(),
        "plugins/accept.js": HARAKA_PLUGIN,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    with process(places.server, "node", str(package / "bin" / "haraka"), "-c", str(folder), log=folder / "haraka.log") as server:
        wait_for_banner(port, "Haraka")
        yield Server(port, lambda: family(server.pid), {})


def _postfix(kind: str, with_milter: bool) -> Start:
    return lambda folder, places: postfix(folder, places, kind, with_milter)


def available() -> Dict[str, Start]:
    """By the names of the tables, in the order of a round: what removes files comes last."""
    found: Dict[str, Start] = {SINK: smtp_sink}
    if shutil.which("node") and shutil.which("npm"):
        found.update({"nodemailer smtp-server": nodemailer, "Haraka": haraka})
    if os.geteuid() != 0 or not shutil.which("postfix"):
        return found
    has_milter = program("milter").exists()
    found["Postfix, proxy filter to smtp-sink"] = _postfix("proxy", False)
    if has_milter:
        found[POSTFIX_MILTER] = _postfix("proxy", True)
    found[POSTFIX_QUEUE] = _postfix("queue", False)
    if has_milter:
        found["Postfix, milter, queue, discard"] = _postfix("queue", True)
    return found
