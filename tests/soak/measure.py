"""Memory and descriptors of the gateway's processes over time, and what is said of them in the end.

Memory is flat when the line through the samples of a process rises by no more than a bound while it is watched. It is watched

    master          from a fifth of the run on
    hub, workers    in the last quarter; since the half nothing is reloaded or killed

The bound is BOUND. Before the first client come some reloads, so that what the first ones take for good does not look like growth; a
run of less than three minutes is too short for the hub to have filled its ring, and its memory is not judged. Descriptors are flat when each process has, with all clients gone, no more of any kind than
those of its role had before the first client, and LATER: what a worker makes when it is first needed and keeps.
"""

import contextlib
import csv
import os
import pathlib
import re
import time
from collections import Counter
from typing import Any, Dict, List, NamedTuple, Optional, TextIO, Tuple

from server import Server

BOUND = 1024.0
"""KiB. A worker that has lost so much in its last quarter has lost 70 octets a session in an hour, 400 in ten minutes. A load of 80
sessions makes the heap of a worker rise by up to half of that, when more of them than before are there at a time."""
LATER = {"worker": {"anon_inode:[eventpoll]": 1}}
"""The set in which a worker watches for clients that reset their connection (net/reset_watch.c)."""


class Sample(NamedTuple):
    seconds: float
    role: str
    pid: int
    rss: int
    pss: int
    descriptors: int


def number_of(path: str, field: str) -> int:
    match = re.search(rf"^{field}:\s+(\d+)", pathlib.Path(path).read_text(), re.M)
    return int(match.group(1)) if match else 0


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks: int = os.sysconf("SC_CLK_TCK")
    return (int(fields[11]) + int(fields[12])) / ticks


def slope(points: List[Tuple[float, float]]) -> float:
    """Of the straight line with the least squares."""
    mean_x, mean_y = (sum(values) / len(points) for values in zip(*points))
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / spread if spread else 0.0


class Watch:
    def __init__(self, server: Server, path: pathlib.Path) -> None:
        self._server, self._began = server, time.monotonic()
        self.samples: List[Sample] = []
        self._file: TextIO = open(path, "w", newline="")
        self._csv: Any = csv.writer(self._file)
        self._csv.writerow([*Sample._fields[:3], "rss_kib", "pss_kib", "descriptors"])
        self._cpu: Dict[int, float] = {}
        self.sanitized = "libasan" in pathlib.Path(f"/proc/{server.process.pid}/maps").read_text()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._began

    def sample(self) -> List[Sample]:
        seconds = round(self.seconds, 1)  # of all: growth() counts the times
        now = [sample for pid, role in self._server.pids().items() if (sample := self._of(seconds, pid, role))]
        self.samples += now
        self._csv.writerows(now)
        self._file.flush()
        return now

    def _of(self, seconds: float, pid: int, role: str) -> Optional[Sample]:
        with contextlib.suppress(OSError):  # it ended meanwhile
            rss, pss = number_of(f"/proc/{pid}/status", "VmRSS"), number_of(f"/proc/{pid}/smaps_rollup", "Pss")
            self._cpu[pid] = cpu_seconds(pid)
            return Sample(seconds, role, pid, rss, pss, len(os.listdir(f"/proc/{pid}/fd"))) if rss else None
        return None

    @property
    def cpu(self) -> float:
        """Seconds of processor time that all processes of the gateway have used, as of the last samples."""
        return sum(self._cpu.values())

    def close(self) -> None:
        self._file.close()


class Growth(NamedTuple):
    """Of one process, in KiB."""

    role: str
    mean: float
    rise: float
    """Of the line through its samples, from the first to the last."""


def growth(samples: List[Sample], role: str, begin: float, end: float) -> List[Growth]:
    """Of each process of the role that was there from begin to end."""
    span = [sample for sample in samples if begin <= sample.seconds <= end]
    times = len({sample.seconds for sample in span})
    found = []
    for pid in sorted({sample.pid for sample in span if sample.role == role}):
        points = [(sample.seconds, float(sample.rss)) for sample in span if sample.pid == pid]
        if len(points) < 4 or len(points) < 0.9 * times:
            continue
        found.append(Growth(role, sum(y for _, y in points) / len(points), slope(points) * (points[-1][0] - points[0][0])))
    return found


def opened(pid: int) -> List[str]:
    targets = []
    with contextlib.suppress(OSError):  # the process has ended
        for path in list(pathlib.Path(f"/proc/{pid}/fd").iterdir()):
            with contextlib.suppress(OSError):  # this one was closed
                targets.append(os.readlink(path))
    return targets


def descriptors(server: Server) -> Dict[str, List[str]]:
    """What the processes of each role have open: of each kind as many as the one that has most."""
    most: Dict[str, Counter[str]] = {}
    for pid, role in server.pids().items():
        most[role] = most.get(role, Counter()) | kinds(opened(pid))
    return {role: sorted(own.elements()) for role, own in most.items()}


def kinds(targets: List[str]) -> "Counter[str]":
    return Counter(re.sub(r":\[\d+\]$", "", target) for target in targets)


def grown(before: Dict[str, List[str]], after: Dict[str, List[str]]) -> Dict[str, List[str]]:
    """By role, what there is more of; without the roles that have no more."""
    more = {}
    for role, targets in after.items():
        excess = kinds(targets) - kinds(before[role]) - Counter(LATER.get(role, {}))
        if excess:
            more[role] = sorted(f"{number} {name}" for name, number in excess.items())
    return more
