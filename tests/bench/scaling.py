"""What a message and a connection cost with more sessions, workers and services. All loads are load.c's, which has no limit at 1,000
sessions as smtp-source has; connections are reused."""

import pathlib
import time
from typing import Any, Callable, Dict, List, Sequence

from bench.gateways import SMALL_RING, Gatepost, Options, gatepost
from bench.loads import held_sessions
from bench.machine import Places, new_folder, pss_kib
from bench.measures import Meter, Run, note

SESSIONS = (1, 10, 100, 1000, 10000)
WORKERS = (1, 2, 3)
SERVICES = (1, 2, 3, 4, 5)
STANDARD_SESSIONS = 50
WARM_MESSAGES = 1000
SAMPLE_EVERY = 0.1


def _rate(server: Gatepost, places: Places, sessions: int) -> float:
    """Messages a second of a short load; it also warms the server."""
    messages = max(WARM_MESSAGES, 2 * sessions)
    with held_sessions(server.port, places.load, sessions, messages) as held:
        held.start()
        return messages / held.seconds()


def _one(server: Gatepost, places: Places, sessions: int, seconds: float) -> Run:
    before = pss_kib(server.pids())
    messages = max(sessions, int(_rate(server, places, sessions) * seconds))
    with held_sessions(server.port, places.load, sessions, messages) as held:
        idle = busy = pss_kib(server.pids())
        meter = Meter(server)
        held.start()
        while not held.is_done():
            time.sleep(SAMPLE_EVERY)
            busy = max(busy, pss_kib(server.pids()))
        run = meter.run(messages, held.seconds())
    run["idle_kib"] = (idle - before) / sessions
    run["busy_kib"] = (busy - before) / sessions
    return run


Series = Callable[[Places, pathlib.Path, float], List[Run]]


def _series(name: str, counts: Sequence[int], options: Callable[[int], Options], sessions: Callable[[int], int]) -> Series:
    def measure(places: Places, root: pathlib.Path, seconds: float) -> List[Run]:
        rows: List[Run] = []
        for count in counts:
            note(f"{count} {name}")
            try:
                with gatepost(new_folder(root), places, options(count)) as server:
                    rows.append({"count": count, **_one(server, places, sessions(count), seconds)})
            except (RuntimeError, OSError) as error:
                rows.append({"count": count, "failed": str(error)})
        return rows

    return measure


def scaling(places: Places, root: pathlib.Path, seconds: float) -> Dict[str, Any]:
    """One run of each; the whole of it takes less than five minutes with the seconds that `run` allows."""
    of_sessions = _series("sessions", SESSIONS, lambda count: Options(ring=SMALL_RING), lambda count: count)
    of_workers = _series("workers", WORKERS, lambda count: Options(services=["C"], workers=count), lambda count: STANDARD_SESSIONS)
    of_services = _series("services", SERVICES, lambda count: Options(services=["C"] * count), lambda count: STANDARD_SESSIONS)
    return {
        "sessions": of_sessions(places, root, seconds),
        # More workers than one can only do more on more than one processor.
        "workers": of_workers(Places(False), root, seconds),
        "services": of_services(places, root, seconds),
    }
