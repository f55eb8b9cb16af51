"""The measurements behind the table and the goals. Each returns plain figures, one for each run; nothing is judged here."""

import contextlib
import json
import pathlib
import subprocess
import sys
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

from bench import loads
from bench.gateways import SMALL_RING, Gatepost, Options, gatepost
from bench.machine import Places, cpu_seconds, held_to, new_folder, open_files_limit, program, pss_kib, running_on, status_kib
from bench.peers import Server, Start

Run = Dict[str, Any]
KINDS = ("fresh", "reused")
"""A connection for each message; connections that send one message after the other."""

MESSAGES_LEAST, MESSAGES_MOST = 1000, 100000
LARGE_COUNT, LARGE_SIZE = 50, 50 << 20
IDLE_WARM, IDLE_SAMPLE, IDLE_HELD = 50, 2000, 50000
FILES_SPARE = 2000
"""Of a process: the kernel does not share connections out quite evenly."""
LATENCY_BATCH, LATENCY_PAIRS = 4000, 10
EVENTS = 1000000
WORKER_SHARE = 0.2
"""Of a processor, for each of two workers where there is none for each."""


def note(text: str) -> None:
    """What is going on, for who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Meter:
    """Processor time of a server and of what is beside it, since the meter was made."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._before = self._read()

    def _read(self) -> Dict[str, float]:
        read = {"": cpu_seconds(self._server.pids())}
        read.update({name: cpu_seconds(pids()) for name, pids in self._server.beside.items()})
        return read

    def run(self, messages: int, seconds: float) -> Run:
        after = self._read()
        used = {name: (after[name] - before) / messages * 1e6 for name, before in self._before.items()}
        return {"messages": messages, "per_second": messages / seconds, "cpu_us": used.pop(""), "beside_us": used}


def one_load(server: Server, places: Places, seconds: float, reuse: bool, senders: int = 1) -> Run:
    """A load of about so many seconds: short ones first tell how many messages that are."""

    def send(messages: int) -> float:
        server.pids()  # waits for what a load before has left to do: Postfix lets clients wait while its queue is long
        return loads.smtp_source(server.port, places.load, messages, reuse, programs=senders)

    send(2 * loads.SESSIONS)
    warm = 4 * loads.SESSIONS
    rate = warm / send(warm)
    messages = int(min(MESSAGES_MOST, max(MESSAGES_LEAST, rate * seconds))) // senders * senders
    meter = Meter(server)
    return meter.run(messages, send(messages))


def throughput(systems: Dict[str, Start], places: Places, root: pathlib.Path, runs: int, seconds: float) -> Dict[str, Any]:
    """Of each system in turn, `runs` times: A B C A B C. One that fails is left out from then on; "failed" says why."""
    figures: Dict[str, Any] = {name: {kind: [] for kind in KINDS} for name in systems}
    for turn in range(runs):
        for name, start in systems.items():
            if "failed" in figures[name]:
                continue
            note(f"run {turn + 1} of {runs}: {name}")
            try:
                with start(new_folder(root), places) as server:
                    for kind in KINDS:
                        figures[name][kind].append(one_load(server, places, seconds, kind == "reused"))
            except (RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as error:
                figures[name]["failed"] = str(error)
                note(f"{name}: {error}")
    return figures


def answers(places: Places, *command: str) -> Dict[str, float]:
    """What the program `latency` prints: answers a second, the median and p99 in microseconds."""
    with running_on(places.load):
        result = subprocess.run(
            [str(program("latency")), *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=600, check=False
        )
    if result.returncode:
        raise RuntimeError(result.stderr.strip())
    return dict(zip(("per_second", "p50", "p99"), map(float, result.stdout.split())))


def _pair(without: Server, with_service: Server, places: Places, window: int) -> Dict[str, Any]:
    pair = {
        name: answers(places, "smtp", str(server.port), str(window), str(LATENCY_BATCH))
        for name, server in (("without", without), ("with", with_service))
    }
    # A line as long as the request to another process, and one as long as the reply back: the limit of the socket itself.
    pair["socket"] = answers(places, "raw", str(window), str(LATENCY_BATCH), "560", "40")
    return pair


def latency(places: Places, root: pathlib.Path, runs: int) -> Dict[str, Any]:
    """RCPT to its reply, as the client sees it, of two gateways that run side by side, one without a service and one with one in C. They
    are asked in turn in short batches, so that what else the machine does meets both. Once with the client on its own processor, once as
    the system likes, which has client and gateway now on one processor, now on two."""
    figures: Dict[str, Any] = {}
    for name, where in (("pinned", places), ("unpinned", Places(False))):
        figures[name] = {}
        with contextlib.ExitStack() as stack:
            without = stack.enter_context(gatepost(new_folder(root), where, Options()))
            with_service = stack.enter_context(gatepost(new_folder(root), where, Options(services=["C"])))
            for window in (1, 64):
                note(f"latency, {name}, {window} at a time")
                figures[name][str(window)] = [_pair(without, with_service, where, window) for _ in range(runs * LATENCY_PAIRS)]
    return figures


@contextlib.contextmanager
def _held_by_idle(server: Gatepost, places: Places, count: int, kind: str, octets: int, holders: int = 1) -> Iterator[None]:
    """Idle connections after EHLO, held by so many programs `idle`."""
    share = -(-count // holders)
    commands = [
        [str(program("idle")), str(server.port), str(min(share, count - place * share)), kind, str(octets), str(place + 1)]
        for place in range(holders)
    ]
    with running_on(places.load):
        pipe = subprocess.PIPE
        running = [subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) for command in commands]
    try:
        for holder in running:
            assert holder.stdout
            if holder.stdout.readline() != "held\n":
                raise RuntimeError(holder.communicate()[1].strip() or "idle did not start")
        yield
    finally:
        for holder in running:
            if holder.stdin:
                holder.stdin.close()
        for holder in running:
            try:
                holder.wait(120)
            except subprocess.TimeoutExpired:
                holder.kill()
                holder.wait(60)


def _hold(places: Places, root: pathlib.Path, count: int, kind: str, octets: int, services: Sequence[str], workers: int = 1) -> float:
    options = Options(services=services, tls=kind == "tls", ring=SMALL_RING, workers=workers)
    with gatepost(new_folder(root), places, options) as server:
        # What the first connections of a process bring (OpenSSL's tables, a full ring of events) is not the cost of one.
        with _held_by_idle(server, places, IDLE_WARM, kind, octets):
            pass
        before = pss_kib(server.pids())
        with _held_by_idle(server, places, count, kind, octets, workers):
            return (pss_kib(server.pids()) - before) / count


def _hold_many(places: Places, root: pathlib.Path, kind: str) -> Dict[str, Any]:
    """As many workers as the limit of open files makes necessary."""
    files = open_files_limit(IDLE_HELD + FILES_SPARE)
    workers = -(-IDLE_HELD // (files - FILES_SPARE))
    try:
        kib = _hold(places, root, IDLE_HELD, kind, 0, [], workers)
    except (RuntimeError, OSError) as error:
        return {"count": 0, "failed": str(error)}
    return {"count": IDLE_HELD, "kib": kib, "workers": workers, "files": files}


IDLE_ROWS: Dict[str, Tuple[str, int, Sequence[str]]] = {
    "plain": ("plain", 0, []),
    "plain, after a message of 64 KiB": ("plain", 65536, []),
    "plain, a C service asked": ("plain", 0, ["C"]),
    "tls": ("tls", 0, []),
    "tls, after a message of 64 KiB": ("tls", 65536, []),
}


def idle(places: Places, root: pathlib.Path, runs: int) -> Dict[str, Any]:
    """Memory of an idle connection in KiB, of all processes of the gateway, without what the kernel needs for its socket; and whether
    so many can be held at once."""
    figures: Dict[str, Any] = {name: [] for name in IDLE_ROWS}
    for turn in range(runs):
        for name, (kind, octets, services) in IDLE_ROWS.items():
            note(f"run {turn + 1} of {runs}: {IDLE_SAMPLE} idle connections, {name}")
            figures[name].append(_hold(places, root, IDLE_SAMPLE, kind, octets, services))
    for kind in ("plain", "tls"):
        note(f"{IDLE_HELD} idle connections, {kind}")
        figures[f"held_{kind}"] = _hold_many(places, root, kind)
    return figures


def large(places: Places, root: pathlib.Path, runs: int) -> Dict[str, Any]:
    """Most memory that a worker had while 50 messages of 50 MiB came at once, over what it had before, in MiB. A service in C is asked at
    all hooks, the messages go to a Maildir."""
    figures: Dict[str, Any] = {"over_base_mib": [], "seconds": []}
    for turn in range(runs):
        note(f"run {turn + 1} of {runs}: {LARGE_COUNT} messages of {LARGE_SIZE >> 20} MiB at once")
        folder = new_folder(root)
        with gatepost(folder, places, Options("maildir: FOLDER/mail", ["C"])) as server:
            (worker,) = server.workers()
            loads.smtp_source(server.port, places.load, 20, True, 1)
            base = status_kib(worker, "VmRSS")
            seconds = loads.smtp_source(server.port, places.load, LARGE_COUNT, True, LARGE_COUNT, LARGE_SIZE)
            figures["over_base_mib"].append((status_kib(worker, "VmHWM") - base) / 1024)
            figures["seconds"].append(seconds)
        stored = [path for path in (folder / "mail" / "new").iterdir() if path.stat().st_size > LARGE_SIZE]
        if len(stored) != LARGE_COUNT:
            raise RuntimeError(f"{len(stored)} of {LARGE_COUNT} large messages are there")
        for path in stored:  # gigabytes; its few inodes do not matter
            path.unlink()
    return figures


def _event_rate() -> Dict[str, float]:
    """Events a second from a worker's bus through a hub to one subscriber, three processes that the program `events` starts."""
    command = [str(program("events")), str(EVENTS), "1", "0"]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    if result.returncode:
        raise RuntimeError(result.stderr.strip())
    said = json.loads(result.stdout)
    return {"per_second": said["events_per_second"], "lost": said["lost"]}


def events(places: Places, root: pathlib.Path, runs: int, seconds: float) -> Dict[str, Any]:
    """Events to one subscriber; and messages a second with no subscriber, with one that reads and with one that never does, connections
    reused, no service: most events a second there are."""
    kinds: Sequence[Optional[str]] = (None, "reads", "stuck")
    figures: Dict[str, Any] = {kind or "none": [] for kind in kinds}
    figures["rate"] = []
    for turn in range(max(runs, 3)):
        if program("events").exists():
            note(f"run {turn + 1}: events to one subscriber")
            figures["rate"].append(_event_rate())
        for kind in kinds:
            note(f"run {turn + 1}: subscriber: {kind or 'none'}")
            with gatepost(new_folder(root), places, Options(subscriber=kind)) as server:
                figures[kind or "none"].append(one_load(server, places, seconds, True))
    return figures


def workers(root: pathlib.Path, runs: int, seconds: float) -> Dict[str, Any]:
    """One worker and two, connections reused, no service. With four processors or more, two are the server's and the others the
    load's. With fewer, each worker is held to a share of one, so that enough is left for the load; "share" is 1 where that cannot be."""
    places = Places(False)
    count = len(places.server)
    if count >= 4:
        first = sorted(places.server)[:2]
        places.server, places.load = set(first), places.load - set(first)
    figures: Dict[str, Any] = {"processors": count, "share": 1.0 if count >= 4 else WORKER_SHARE, "1": [], "2": []}
    for turn in range(runs):
        for number in (1, 2):
            note(f"run {turn + 1} of {runs}: {number} worker{'s' * (number - 1)}")
            with gatepost(new_folder(root), places, Options(workers=number)) as server:
                senders = len(places.load) if count >= 4 else 1
                with contextlib.ExitStack() as stack:
                    if figures["share"] < 1 and not stack.enter_context(held_to(figures["share"], server.workers())):
                        figures["share"] = 1.0
                    figures[str(number)].append(one_load(server, places, seconds, True, senders))
    return figures
