"""Where the time goes: perf's samples of worker and hub under one load, by the room of the source that each was taken in."""

import collections
import pathlib
import re
import signal
import subprocess
from typing import Any, Dict, List, Tuple

from bench.gateways import Gatepost, Options, gatepost
from bench.machine import GATEPOST, PATIENCE, ROOT, Places, new_folder, wait_until
from bench.measures import note, one_load

FREQUENCY = 4999
TOP = 12
KERNEL_FROM = 1 << 63
LIBRARIES = ("libev", "libc", "libjansson", "libcrypto", "libssl", "libcares", "ld-linux", "[vdso]")
SYSTEM_CALL = re.compile(r"_+(?:x64_|arm64_)?sys_(\w+)$")
FAULTS = ("exc_page_fault", "do_page_fault")

Frame = Tuple[int, str, str]
"""Address, symbol, object."""


def room_of(path: str) -> str:
    """The room of a source file: the folder of gateway/, or "protocol". "" for a file that is not ours."""
    if not path.startswith("/"):
        return ""
    try:
        parts = pathlib.Path(path).resolve().relative_to(ROOT).parts
    except ValueError:
        return ""
    if parts[0] != "gateway":
        return parts[0]
    return parts[1] if len(parts) > 2 else "gateway"


def library_of(name: str) -> str:
    base = pathlib.Path(name).name
    return next((library for library in LIBRARIES if base.startswith(library)), base or "unknown")


def parse_samples(text: str) -> List[Tuple[int, List[Frame]]]:
    """perf script's output: for each sample its process and its frames, the innermost first."""
    samples: List[Tuple[int, List[Frame]]] = []
    for line in text.splitlines():
        head = re.match(r"\s*(\d+)\s*$", line)
        frame = re.match(r"\s+([0-9a-f]+) (.*) \((.*)\)\s*$", line)
        if head:
            samples.append((int(head.group(1)), []))
        elif frame and samples:
            samples[-1][1].append((int(frame.group(1), 16), frame.group(2), frame.group(3)))
    return [sample for sample in samples if sample[1]]


def kernel_stage(frames: List[Frame]) -> str:
    """By the system call that led there, the outermost frame that names one; without one it was an interrupt, or the scheduler."""
    stage = "kernel: other"
    for address, symbol, _ in frames:
        if address < KERNEL_FROM:
            break
        call = SYSTEM_CALL.match(symbol)
        if call:
            stage = f"kernel: {call.group(1)}"
        elif symbol in FAULTS:
            stage = "kernel: page fault"
    return stage


class Sources:
    """Functions and rooms of addresses in the program, by its debug information."""

    def __init__(self, base: int, addresses: List[int]) -> None:
        self._base = base
        self._found: Dict[int, Tuple[str, str]] = {}
        command = ["addr2line", "-e", str(GATEPOST), "-f", "-i", "-a"]
        # Some versions of perf say the place in the file, others that in memory.
        asked = "".join(f"{self._in_file(address):#x}\n" for address in addresses)
        self._read(subprocess.run(command, input=asked, stdout=subprocess.PIPE, text=True, check=True, timeout=PATIENCE * 5).stdout)

    def _in_file(self, address: int) -> int:
        return address - self._base if address >= self._base else address

    def _read(self, text: str) -> None:
        """An address, then a pair of lines for each function that was inlined there: its name and its place. Of these the first counts
        whose file is ours: what libc's headers bring along is the caller's."""
        at = -1
        lines = iter(text.splitlines())
        for line in lines:
            if re.match(r"0x[0-9a-f]+$", line):
                at = int(line, 16)
                continue
            room = room_of(next(lines, "?").rpartition(":")[0])
            if room and at not in self._found:
                self._found[at] = (room, line)

    def look_up(self, address: int, symbol: str) -> Tuple[str, str]:
        return self._found.get(self._in_file(address), ("gatepost, unknown", symbol))


def _base_of(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
        if line.endswith(str(GATEPOST.resolve())):
            return int(line.partition("-")[0], 16)
    raise RuntimeError("the program is not in its own memory map")


def _sampled(server: Gatepost, places: Places, seconds: float, data: pathlib.Path) -> Dict[str, Any]:
    """perf runs during one load; what the load was, and the processor time of worker and hub."""
    (worker,), hub = server.workers(), server.hub()
    server.beside.update(worker=lambda: [worker], hub=lambda: [hub])
    one_load(server, places, 0.3, True)
    command = ["perf", "record", "-q", "-g", "-e", "cpu-clock", "-F", str(FREQUENCY), "-p", f"{worker},{hub}", "-o", str(data)]
    perf = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        wait_until(lambda: perf.poll() is not None or (data.exists() and data.stat().st_size > 0), "perf")
        if perf.poll() is not None:
            raise RuntimeError(f"perf: {perf.communicate()[0].strip()}")
        run = one_load(server, places, seconds, True)
    finally:
        if perf.poll() is None:
            perf.send_signal(signal.SIGINT)
            perf.communicate(timeout=PATIENCE)
    return {"worker": worker, "hub": hub, "run": run, "base": _base_of(worker)}


def _count(samples: List[Tuple[int, List[Frame]]], base: int, pid: int) -> "Tuple[collections.Counter[str], collections.Counter[str]]":
    """Samples of a process by stage, and by function."""
    own = [frames for process, frames in samples if process == pid]
    inside = sorted({frames[0][0] for frames in own if frames[0][2].endswith("/gatepost")})
    sources = Sources(base, inside)
    by_stage: "collections.Counter[str]" = collections.Counter()
    by_function: "collections.Counter[str]" = collections.Counter()
    for frames in own:
        address, symbol, place = frames[0]
        if address >= KERNEL_FROM:
            stage, function = kernel_stage(frames), symbol
        elif place.endswith("/gatepost"):
            stage, function = sources.look_up(address, symbol)
        else:
            stage, function = library_of(place), symbol
        by_stage[stage] += 1
        by_function[f"{stage}: {function}"] += 1
    return by_stage, by_function


def stages(places: Places, root: pathlib.Path, seconds: float) -> Dict[str, Any]:
    """All hooks asked of a service in C, one subscriber, discard, connections reused."""
    note("stages: a load under perf")
    folder = new_folder(root)
    data = folder / "perf.data"
    with gatepost(folder, places, Options(services=["C"], subscriber="reads")) as server:
        of = _sampled(server, places, seconds, data)
    command = ["perf", "script", "-i", str(data), "-F", "pid,ip,sym,dso"]
    text = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True, timeout=600).stdout
    samples = parse_samples(text)
    note(f"stages: {len(samples)} samples")
    rows: Dict[str, Dict[str, float]] = {}
    figures: Dict[str, Any] = {"run": of["run"], "samples": len(samples), "rows": rows, "top": {}}
    for process in ("worker", "hub"):
        by_stage, by_function = _count(samples, of["base"], of[process])
        total = sum(by_stage.values()) or 1
        # Samples have the shares; the clock of the process has the time.
        message = of["run"]["beside_us"][process]
        for stage, count in by_stage.most_common():
            rows.setdefault(stage, dict.fromkeys(("worker", "hub", "worker_part", "hub_part"), 0.0))
            rows[stage][process] = count / total * message
            rows[stage][f"{process}_part"] = count / total
        figures["top"][process] = [[name, count / total * message] for name, count in by_function.most_common(TOP)]
    return figures
