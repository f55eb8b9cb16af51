"""The machine that is measured on: its processors, and what processes take of it."""

import contextlib
import ctypes
import os
import pathlib
import platform
import re
import resource
import socket
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Set

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / "build" / "release"
GATEPOST = BUILD / "gateway" / "gatepost"
PATIENCE = 60.0
"""Seconds that a server may take to start or to stop."""

Pids = Callable[[], List[int]]


def program(name: str) -> pathlib.Path:
    """One of this folder's, in C."""
    return BUILD / "tests" / "bench" / name


def processors() -> List[int]:
    return sorted(os.sched_getaffinity(0))


class Places:
    """On which processors server and load run. The server's side is one processor: the server and what it asks (service, milter).
    The other side has the load, the next server and the subscriber. On one processor, or when `pinned` is false, the system decides."""

    def __init__(self, pinned: bool) -> None:
        all_of_them = processors()
        self.pinned = pinned and len(all_of_them) > 1
        self.server: Set[int] = {all_of_them[0]} if self.pinned else set(all_of_them)
        self.load: Set[int] = set(all_of_them) - self.server if self.pinned else set(all_of_them)

    def describe(self) -> str:
        if not self.pinned:
            return f"{len(self.server)} processors, shared as the system likes"
        load = ",".join(map(str, sorted(self.load)))
        return (
            f"server, service and milter on processor {min(self.server)}; load, next server and subscriber on {load} "
            "(sched_setaffinity before each starts)"
        )


@contextlib.contextmanager
def running_on(where: Set[int]) -> Iterator[None]:
    """Processes started in the block, and all that they start, run there."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, where)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def wait_until(condition: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise RuntimeError(f"waited {patience:.0f} s in vain: {what}")
        time.sleep(0.02)


def _has_banner(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as sock:
        return sock.recv(100).startswith(b"220")
    return False


def wait_for_banner(port: int, what: str) -> None:
    wait_until(lambda: _has_banner(port), f"the banner of {what}")


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(1, 15)  # PR_SET_PDEATHSIG, SIGTERM: nothing goes on when the bench is killed


@contextlib.contextmanager
def process(where: Set[int], *command: str, log: Optional[pathlib.Path] = None, **options: Any) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that runs while the block does, on these processors. Its output goes to `log`."""
    with open(log or os.devnull, "ab") as output, running_on(where):
        options.setdefault("stdout", output)
        started = subprocess.Popen(command, stderr=output, preexec_fn=_die_with_parent, **options)
    try:
        yield started
    finally:
        started.terminate()
        try:
            started.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait(PATIENCE)


def _children(pid: int) -> List[int]:
    found: List[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split())
    return found


def family(pid: int) -> List[int]:
    """A process and all below it."""
    return [pid] + [below for child in _children(pid) for below in family(child)]


def name_of(pid: int) -> str:
    with contextlib.suppress(OSError):
        return pathlib.Path(f"/proc/{pid}/comm").read_text().rstrip("\n")
    return ""


def cpu_seconds(pids: Iterable[int]) -> float:
    """Processor time of these so far, with all their threads, and of those of their children that are gone: Postfix's come and go."""
    total = 0.0
    for pid in pids:
        with contextlib.suppress(OSError):
            fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[13:15])) / os.sysconf("SC_CLK_TCK")
            # Linux' clock of another process, in nanoseconds; its stat file counts ticks of 10 ms.
            total += time.clock_gettime((~pid << 3) | 2)
    return total


def pss_kib(pids: Iterable[int]) -> int:
    """Memory of these; what several share counts once."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            match = re.search(r"^Pss:\s+(\d+)", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M)
            total += int(match.group(1)) if match else 0
    return total


def status_kib(pid: int, field: str) -> int:
    """A size of /proc/PID/status, as "VmRSS", "VmHWM"."""
    match = re.search(rf"^{field}:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    return int(match.group(1)) if match else 0


@contextlib.contextmanager
def work_folder() -> Iterator[pathlib.Path]:
    """Where all systems have their files, each in a folder below that stays to the end. ext4 without a journal gives no number
    of a file that was removed within a minute to another, and the search for a free one can cost more than all else. So nothing is
    removed between the runs, and each folder is told to lie in a part of the disk of its own (chattr +T)."""
    with tempfile.TemporaryDirectory(prefix="gatepost-bench.", dir="/var/tmp") as name:
        os.chmod(name, 0o755)
        subprocess.run(["chattr", "+T", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        yield pathlib.Path(name)


def new_folder(root: pathlib.Path) -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(dir=root))
    folder.chmod(0o755)
    return folder


def open_files_limit(wanted: int) -> int:
    """How many files a process may have open: so many, or as many as the machine lets this one have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < wanted:
        with contextlib.suppress(ValueError, OSError):  # only with a right that even root need not have
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, wanted))
            hard = wanted
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard


PERIOD_US = 10000
"""Of a share: a process that has had its own waits for the next so many microseconds."""


def _group_files(folder: pathlib.Path, share: float) -> Dict[pathlib.Path, str]:
    """What makes the control group in the folder give so much of a processor, in version 1 or 2."""
    quota = int(share * PERIOD_US)
    if (folder / "cpu.max").exists():
        return {folder / "cpu.max": f"{quota} {PERIOD_US}"}
    return {folder / "cpu.cfs_period_us": str(PERIOD_US), folder / "cpu.cfs_quota_us": str(quota)}


@contextlib.contextmanager
def held_to(share: float, pids: Iterable[int]) -> Iterator[bool]:
    """Each of these processes has at most this share of a processor meanwhile. False: the machine does not let us (root may make control
    groups on most)."""
    top = pathlib.Path("/sys/fs/cgroup/cpu")
    top = top if top.is_dir() else top.parent
    folders: List[pathlib.Path] = []
    try:
        with contextlib.suppress(OSError):
            for pid in pids:
                folders.append(top / f"gatepost-bench-{pid}")
                folders[-1].mkdir()
                for path, text in _group_files(folders[-1], share).items():
                    path.write_text(text)
                (folders[-1] / "cgroup.procs").write_text(str(pid))
        yield bool(folders) and all((folder / "cgroup.procs").exists() and (folder / "cgroup.procs").read_text().strip() for folder in folders)
    finally:
        for folder in folders:
            with contextlib.suppress(OSError):
                for pid_text in (folder / "cgroup.procs").read_text().split():
                    (top / "cgroup.procs").write_text(pid_text)
                folder.rmdir()


def describe() -> Dict[str, Any]:
    """For the record."""
    cpu = re.search(r"^model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text(), re.M)
    disk = subprocess.run(["findmnt", "-no", "FSTYPE,OPTIONS", "-T", "/var/tmp"], stdout=subprocess.PIPE, text=True, check=False)
    return {
        "date": time.strftime("%Y-%m-%d %H:%M"),
        "processors": len(processors()),
        "cpu": cpu.group(1) if cpu else "",
        "kernel": platform.release(),
        "disk": disk.stdout.strip(),
        "load_before": os.getloadavg()[0],
    }


def stop(message: str) -> None:
    sys.exit(f"bench: {message}")
