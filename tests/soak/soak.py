"""The run itself: the load, what is done to the gateway meanwhile, and the end, when all is quiet."""

import argparse
import asyncio
import contextlib
import random
import time
from typing import Any, Awaitable, Callable, Dict, List, Optional, Set, Tuple

from words import Found

from gauges import Pages, ask, not_zero, serving
from ledger import Ledger
from measure import Watch, descriptors, grown
from server import WORKERS, Server
from sessions import Load
from sink import Sink
from verdict import Verdict
from watchers import Mortal, Recorder, Resumer, Stuck, head

HUB_SETTLES = 4.0
"""Seconds around a kill of the hub in which events may be lost untold."""
WARM_UP = 10
"""Reloads before the first client."""
QUIET = 3.0
"""Seconds without a new event, with nothing under way, after which none is expected."""


async def wait_until(condition: Callable[[], Any], what: str, patience: float = 60) -> None:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"waited {patience:.0f} s in vain: {what}")
        await asyncio.sleep(0.05)


class Soak:
    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.seconds = arguments.minutes * 60
        self.chance = random.Random(arguments.seed)
        self.server = Server(arguments.program, str(arguments.seed))
        self.places: Dict[int, List[Tuple[str, Found]]] = {}
        self.killed: Set[str] = set()
        self.kills: List[float] = []
        self.outages: List[Tuple[float, float]] = []
        self.reloads = 0
        self.faults: List[str] = []
        self.sink = Sink(lambda found: self.take("relay", found), self.faults.append)
        self.load: Optional[Load] = None
        self.subscribers: List[Any] = []

    def take(self, place: str, found: Found) -> None:
        self.places.setdefault(found.number, []).append((place, found))

    # --- the run ---

    async def run(self) -> bool:
        await self.sink.start()
        self.server.start(self.sink.port)
        await wait_until(self.server.is_up, "the gateway and its services")
        path = self.server.events_socket
        self.recorder = Recorder(path)
        self.subscribers.append(self.recorder)
        await self.services_ready()
        self.base = descriptors(self.server)
        for _ in range(WARM_UP):
            await self.reload()
        self.reloads = 0
        self.resumer = Resumer(path, random.Random(f"{self.arguments.seed} resumer"))
        self.stuck = Stuck(path)
        self.stuck.connect()
        self.mortals = [Mortal(path, random.Random(f"{self.arguments.seed} mortal {n}")) for n in range(2)]
        self.subscribers += [self.resumer, *self.mortals]
        self.pages = Pages(self.server.http_port, self.server.control_socket)
        self.watch = Watch(self.server, self.arguments.csv)
        self.load = Load(self.server.ports, self.arguments.sessions, self.arguments.rate, str(self.arguments.seed))
        await self.under_load()
        await self.load.stop()
        return await self.settle()

    async def services_ready(self) -> None:
        """Every worker serves, and has all its services."""

        def all_there() -> bool:
            status = ask(self.server.control_socket)
            workers = [worker for worker in status["workers"] if worker["state"] == "serving" and "missing" not in worker]
            return len(workers) == WORKERS and all(policy["connections"] == WORKERS for policy in status["policies"])

        await wait_until(all_there, "workers with their services")

    async def under_load(self) -> None:
        seconds = self.seconds
        quarter = seconds / 4
        jobs: List[Tuple[float, float, Callable[[], Awaitable[None]]]] = [
            (min(60, max(4, seconds / 10)), 2 * quarter, self.reload),
            (min(150, max(3, seconds / 8)), 2 * quarter, self.kill_worker),
            (min(300, max(5, quarter / 3)), quarter, self.kill_hub),
            (min(5, seconds / 40), seconds, self.sample),
            (min(60, seconds / 3), seconds, self.report),
            (1, seconds, self.tend),
        ]
        due = [(period, period, until, job) for period, until, job in jobs]
        while self.watch.seconds < seconds:
            for place, (at, period, until, job) in enumerate(due):
                if at <= self.watch.seconds:
                    due[place] = (at + period if at + period <= until else seconds * 2, period, until, job)
                    await job()
            await asyncio.sleep(0.05)

    async def tend(self) -> None:
        self.server.tend()
        assert self.load
        for failure in (self.load.failed(), *(subscriber.failed() for subscriber in self.subscribers)):
            if failure:
                raise failure
        await asyncio.to_thread(self.server.harvest, self.take)

    async def sample(self) -> None:
        self.watch.sample()
        await asyncio.to_thread(self.pages.look)

    async def report(self) -> None:
        assert self.load
        own = time.process_time()
        answered = sum(letter.code > 0 for visit in self.load.visits for letter in visit.letters)
        roles: Dict[str, List[str]] = {}
        for sample in self.watch.sample():
            roles.setdefault(sample.role, []).append(f"{sample.rss / 1024:.1f} MiB {sample.descriptors} fd")
        text = "; ".join(f"{role} {', '.join(values)}" for role, values in sorted(roles.items()))
        print(f"{self.watch.seconds:6.0f} s  {len(self.load.visits)} sessions, {answered} messages answered; {text}; load {own:.0f} s cpu", flush=True)

    async def reload(self) -> None:
        """Returns when the new workers serve, so that no two are one."""
        self.reloads += 1
        control, before = self.server.control_socket, serving(self.server.control_socket)
        self.server.reload()
        await wait_until(lambda: len(serving(control) - before) == WORKERS, "the new workers of a reload")

    async def kill_worker(self) -> None:
        for address in self.server.kill_worker(self.chance):
            first, second, third, fourth = map(int, address.split("."))
            self.killed |= {address, f"10.{first == 127 and second - 1}.{third}.{fourth}"}
        self.kills.append(time.time())

    async def kill_hub(self) -> None:
        began, gaps = time.time(), len(self.recorder.gaps)
        self.server.kill_hub()
        await wait_until(lambda: len(self.recorder.gaps) > gaps, "a gap with the new epoch")
        self.outages.append((began - HUB_SETTLES, time.time() + HUB_SETTLES))
        self.stuck.connect()

    # --- the end ---

    async def settle(self) -> bool:
        """With all clients gone: waits for what is under way, then closes the accounts."""
        assert self.load
        for mortal in self.mortals:
            await mortal.stop()
        self.resumer.stay()
        drained = await self.stuck.drain()
        await wait_until(self.is_quiet, "the end of all that is under way, and the last event")
        await self.tend()
        await self.resumer.stop()
        with contextlib.suppress(AssertionError):  # then the verdict says so
            await wait_until(lambda: not self.more_descriptors(), "closed descriptors", 15)
        rest, more = descriptors(self.server), self.more_descriptors()
        leftovers = [f"left behind: {name}" for name in self.server.leftovers()]
        status = ask(self.server.control_socket)
        self.watch.sample()
        await self.recorder.stop()
        code = await asyncio.to_thread(self.server.stop)
        self.server.harvest(self.take)
        ledger = Ledger(self.load.visits, self.recorder.sessions, self.places)
        ledger.close(self.killed, self.kills, self.outages)
        if code:
            leftovers.append(f"gatepost ended with {code}")
        return Verdict(self, ledger, drained, (rest, more), status, leftovers).say()

    def is_quiet(self) -> bool:
        """Nothing is under way, both subscribers have all there is, and for a while nothing came."""
        last = max(self.recorder.last, self.resumer.last_at)
        if time.monotonic() - last <= QUIET or not_zero(self.server.control_socket):
            return False
        return self.recorder.position == head(self.server.events_socket)

    def more_descriptors(self) -> Dict[str, List[str]]:
        """By role, what a process has open that none had before the first client."""
        return grown(self.base, descriptors(self.server))

    async def clean_up(self, keep: bool) -> None:
        if self.load:
            self.load.abort()
        for subscriber in self.subscribers:
            subscriber.abort()
        await asyncio.to_thread(self.server.stop)
        if not keep:
            self.server.remove()
