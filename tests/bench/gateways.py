"""gatepost as it is measured: with services in C or Python, a delivery, subscribers."""

import contextlib
import os
import pathlib
import socket
from typing import Dict, Iterator, List, Optional, Sequence

from bench.goals import OURS_DISCARD, OURS_MAILDIR, OURS_MAILDIR_ALONE, OURS_PASSED_ON
from bench.machine import BUILD, GATEPOST, PATIENCE, ROOT, Pids, Places, family, free_port, name_of, process, wait_for_banner, wait_until
from bench.peers import Server, Start, next_server

ACCEPT_ALL = BUILD / "clients" / "c" / "accept_all"
PYTHON_SERVICE = """
import gatepost, sys
service = gatepost.Service("all", window=256)
for hook in ("connect", "ehlo", "starttls", "secure", "mail", "rcpt", "data", "message"):
    getattr(service, hook)(lambda request: gatepost.accept())
service.disconnect(lambda request: None)
service.run(sys.argv[1])
"""
# Reads and throws away: what a subscriber does with the events is its own affair.
READER = """
import socket, sys
sock = socket.socket(socket.AF_UNIX)
sock.connect(sys.argv[1])
sock.sendall(b'{"type":"subscribe","version":1,"name":"bench"}\\n')
buffer = bytearray(1 << 18)
while sock.recv_into(buffer): pass
"""


SMALL_RING = "64K"


class Options:
    """services: one word for each of the chain, "C" or "Python". subscriber: None, "reads" or "stuck" (it never reads).
    ring: the hub's memory for events; where connections are weighed it is small, so that it is full before."""

    def __init__(
        self,
        delivery: str = "discard: true",
        services: Sequence[str] = (),
        subscriber: Optional[str] = None,
        workers: int = 1,
        tls: bool = False,
        ring: str = "64M",
    ) -> None:
        self.delivery, self.services, self.subscriber = delivery, services, subscriber
        self.workers, self.tls, self.ring = workers, tls, ring


class Gatepost(Server):
    """One that runs."""

    def __init__(self, port: int, master: int, beside: Dict[str, Pids], folder: pathlib.Path) -> None:
        super().__init__(port, lambda: family(master), beside)
        self.folder = folder

    def workers(self) -> List[int]:
        return [pid for pid in self.pids() if name_of(pid) == "gatepost worker"]

    def hub(self) -> int:
        (pid,) = [pid for pid in self.pids() if name_of(pid) == "gatepost hub"]
        return pid


def _config(folder: pathlib.Path, port: int, options: Options) -> str:
    names = [f"all{place}" for place in range(len(options.services))]
    text = (
        f"hostname: mx.example.com\nruntime_dir: {folder}/run\nspool_dir: {folder}/spool\nuser: root\nworkers: {options.workers}\n"
        f"listeners:\n  - name: mx\n    address: '127.0.0.1:{port}'\n    accept_domains: [example.com]\n    resolve_names: false\n"
        f"    delivery: place\n    policies: [{', '.join(names)}]\n"
        + ("    tls: starttls\n" if options.tls else "")
        + "limits: {messages: 1000000, commands: 1000000, connections: 200000, connections_per_client: 200000, "
        f"message_size: 64M, spool: 8G, command_timeout: 30m}}\nlog: {{level: error}}\nevents: {{ring: {options.ring}}}\n"
        f"deliveries:\n  - name: place\n    {options.delivery.replace('FOLDER', str(folder))}\n"
    )
    if options.tls:
        text += f"tls:\n  certificates:\n    - {{certificate: {folder}/cert.pem, key: {folder}/key.pem}}\n"
    if names:
        text += "policies:\n" + "".join(f"  - name: {name}\n    sockets: [{folder}/{name}.sock]\n    timeout: 30s\n" for name in names)
    return text


def make_certificate(folder: pathlib.Path) -> None:
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", f"{folder}/key.pem"]
    command = ["openssl", "req", "-x509", *key, "-days", "2", "-subj", "/CN=mx.example.com", "-out", f"{folder}/cert.pem"]
    with process(os.sched_getaffinity(0), *command) as made:
        made.wait(PATIENCE)


@contextlib.contextmanager
def _service(kind: str, path: pathlib.Path, places: Places) -> Iterator[int]:
    commands = {"C": [str(ACCEPT_ALL), str(path)], "Python": ["/usr/bin/python3", "-c", PYTHON_SERVICE, str(path)]}
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "clients" / "python"))
    with process(places.server, *commands[kind], env=environment, log=path.with_suffix(".log")) as service:
        wait_until(path.exists, f"the service at {path}")
        yield service.pid


@contextlib.contextmanager
def stuck_subscriber(path: pathlib.Path) -> Iterator[None]:
    """It subscribes and never reads."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(path))
        sock.sendall(b'{"type":"subscribe","version":1,"name":"stuck"}\n')
        yield


@contextlib.contextmanager
def gatepost(folder: pathlib.Path, places: Places, options: Options) -> Iterator[Gatepost]:
    port = free_port()
    config = folder / "gatepost.yaml"
    config.write_text(_config(folder, port, options))
    if options.tls:
        make_certificate(folder)
    with contextlib.ExitStack() as stack:
        services = [
            stack.enter_context(_service(kind, folder / f"all{place}.sock", places)) for place, kind in enumerate(options.services)
        ]
        beside: Dict[str, Pids] = {"service": lambda: services} if services else {}
        master = stack.enter_context(process(places.server, str(GATEPOST), "serve", "-c", str(config), log=folder / "log"))
        wait_for_banner(port, "gatepost")
        server = Gatepost(port, master.pid, beside, folder)
        events = folder / "run" / "events.sock"
        if options.subscriber == "reads":
            stack.enter_context(process(places.load, "/usr/bin/python3", "-c", READER, str(events)))
        elif options.subscriber == "stuck":
            stack.enter_context(stuck_subscriber(events))
        yield server


def _kind(delivery: str, services: Sequence[str] = (), subscriber: Optional[str] = None) -> Start:
    return lambda folder, places: gatepost(folder, places, Options(delivery, services, subscriber))


@contextlib.contextmanager
def _passed_on(folder: pathlib.Path, places: Places, services: Sequence[str], subscriber: Optional[str]) -> Iterator[Server]:
    """gatepost before smtp-sink, whose 250 is its own."""
    with next_server(folder, places) as sink:
        options = Options(f"smtp: ['127.0.0.1:{sink}']\n    tls: none", services, subscriber)
        with gatepost(folder, places, options) as server:
            yield server


def rows() -> Dict[str, Start]:
    """By the names of the tables. A service is asked at every hook."""
    return {
        "gatepost, no service, discard": _kind("discard: true"),
        OURS_DISCARD: _kind("discard: true", ["C"], "reads"),
        "gatepost, Python service, one subscriber, discard": _kind("discard: true", ["Python"], "reads"),
        "gatepost, no service, passed on": lambda folder, places: _passed_on(folder, places, [], None),
        OURS_PASSED_ON: lambda folder, places: _passed_on(folder, places, ["C"], "reads"),
        OURS_MAILDIR_ALONE: _kind("maildir: FOLDER/mail"),
        OURS_MAILDIR: _kind("maildir: FOLDER/mail", ["C"], "reads"),
        "gatepost, Python service, one subscriber, Maildir": _kind("maildir: FOLDER/mail", ["Python"], "reads"),
    }
