"""The goals and whether figures meet them. Nothing is measured here: the same figures give the same words."""

import statistics
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

MET, MISSED, NOT_SHOWN, NOT_MEASURED = "met", "not met", "cannot be shown", "not measured"

SINK = "smtp-sink"
OURS_DISCARD = "gatepost, C service, one subscriber, discard"
OURS_PASSED_ON = "gatepost, C service, one subscriber, passed on"
OURS_MAILDIR = "gatepost, C service, one subscriber, Maildir"
OURS_MAILDIR_ALONE = "gatepost, no service, Maildir"
POSTFIX_MILTER = "Postfix, milter, proxy filter to smtp-sink"
POSTFIX_QUEUE = "Postfix, queue, discard"
KINDS = {"fresh": "a connection per message", "reused": "connections reused"}
PROCESSORS_FOR_TWO_WORKERS = 4


class Goal:
    def __init__(self, what: str, goal: str, measured: str, verdict: str, why: str = "") -> None:
        self.what, self.goal, self.measured, self.verdict, self.why = what, goal, measured, verdict, why

    def as_json(self) -> Dict[str, str]:
        return {"what": self.what, "goal": self.goal, "measured": self.measured, "verdict": self.verdict, "why": self.why}


def median(runs: Sequence[Any], key: str = "") -> float:
    """Of plain numbers, or of one value of each run."""
    return float(statistics.median([run[key] for run in runs] if key else runs))


def spread(ours: Sequence[float], theirs: Sequence[float]) -> Tuple[float, float]:
    """The least and the greatest ratio of two figures of the same round: what the medians' ratio is worth."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    return min(ratios), max(ratios)


def _verdict(met: bool) -> str:
    return MET if met else MISSED


def at_most(what: str, value: float, limit: float, unit: str) -> Goal:
    return Goal(what, f"<= {limit:g} {unit}".rstrip(), f"{value:.3g} {unit}".rstrip(), _verdict(value <= limit))


def at_least(what: str, value: float, limit: float, unit: str) -> Goal:
    text = f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"
    return Goal(what, f">= {limit:,g} {unit}".rstrip(), f"{text} {unit}".rstrip(), _verdict(value >= limit))


def missing(what: str, goal: str, why: str) -> Goal:
    return Goal(what, goal, "-", NOT_MEASURED, why)


def ratio(systems: Dict[str, Any], ours: str, theirs: str, kind: str, key: str) -> Optional[Tuple[float, float, float]]:
    """The ratio of the medians, and the least and greatest of the rounds; None when one of them was not measured."""
    runs = [systems.get(name, {}).get(kind) for name in (ours, theirs)]
    if not runs[0] or not runs[1]:
        return None
    values = [[run[key] for run in of] for of in runs if of]
    return (median(values[0]) / median(values[1]), *spread(values[0], values[1]))


def _why_missing(systems: Dict[str, Any], *names: str) -> str:
    for name in names:
        if name not in systems:
            return f"{name}: not in this run"
        if "failed" in systems[name]:
            return f"{name}: {systems[name]['failed']}"
    return ""


class RatioGoal:
    """A row against another of the same run. sign +1: at least `limit` times, -1: at most."""

    def __init__(self, what: str, ours: str, theirs: str, key: str, sign: int, limit: float) -> None:
        self.what, self.ours, self.theirs, self.key, self.sign, self.limit = what, ours, theirs, key, sign, limit

    def judge(self, systems: Dict[str, Any], kind: str) -> Goal:
        what = f"{self.what}; {KINDS[kind]}"
        goal = f"{'>=' if self.sign > 0 else '<='} {self.limit:g} x"
        found = ratio(systems, self.ours, self.theirs, kind, self.key)
        if not found:
            return missing(what, goal, _why_missing(systems, self.ours, self.theirs))
        value, least, most = found
        return Goal(what, goal, f"{value:.2f} x ({least:.2f} to {most:.2f})", _verdict(self.sign * (value - self.limit) >= 0))


RATIOS = (
    RatioGoal("processor time of a message, all hooks, discard, to smtp-sink's", OURS_DISCARD, SINK, "cpu_us", -1, 2),
    RatioGoal("messages/s, all hooks, discard, to Postfix + milter + proxy", OURS_DISCARD, POSTFIX_MILTER, "per_second", 1, 8),
    RatioGoal("messages/s, all hooks, passed on, to Postfix + milter + proxy", OURS_PASSED_ON, POSTFIX_MILTER, "per_second", 1, 5),
    RatioGoal("messages/s, Maildir, to Postfix' queue, discard", OURS_MAILDIR_ALONE, POSTFIX_QUEUE, "per_second", 1, 5),
    RatioGoal("messages/s, all hooks, Maildir, to Postfix' queue, discard", OURS_MAILDIR, POSTFIX_QUEUE, "per_second", 1, 5),
)


def differences(pairs: Sequence[Dict[str, Any]], key: str) -> List[float]:
    return [pair["with"][key] - pair["without"][key] for pair in pairs]


def added(pairs: Sequence[Dict[str, Any]], key: str) -> float:
    """What a service adds: the median of the differences of neighbouring batches."""
    return median(differences(pairs, key))


def _latency(figures: Dict[str, Any]) -> List[Goal]:
    found = []
    for key, what, limit in (("p50", "latency added by one hook, median", 30), ("p99", "latency added by one hook, p99", 200)):
        goal = at_most(what, added(figures["pinned"]["1"], key), limit, "us")
        goal.why = f"with client, gateway and service where the system likes: {added(figures['unpinned']['1'], key):.1f} us"
        found.append(goal)
    return found


def _idle(figures: Dict[str, Any]) -> List[Goal]:
    limits = {"plain": 3, "tls": 25}
    found = [
        at_most(f"memory of an idle connection after EHLO, {kind}", median(figures[kind]), limit, "KiB") for kind, limit in limits.items()
    ]
    for kind in limits:
        held = figures[f"held_{kind}"]
        goal = at_least(f"idle connections held at once, {kind}", held["count"], 50000, "")
        if "failed" in held:
            goal.why = held["failed"]
        else:
            goal.why = f"{held['kib']:.2f} KiB each, {held['workers']} workers; a process here may have {held['files']:,} files open"
        found.append(goal)
    return found


def _large(figures: Dict[str, Any]) -> List[Goal]:
    goal = at_most("memory of a worker over its base, 50 messages of 50 MiB at once", max(figures["over_base_mib"]), 64, "MiB")
    goal.why = f"the most of {len(figures['over_base_mib'])} runs"
    return [goal]


def _events(figures: Dict[str, Any]) -> List[Goal]:
    if figures["rate"]:
        rate = at_least("events to one subscriber", median(figures["rate"], "per_second"), 200000, "a second")
        lost = sum(run["lost"] for run in figures["rate"])
        rate.why = f"{lost:,.0f} of them were lost" if lost else "none was lost"
    else:
        rate = missing("events to one subscriber", ">= 200,000 a second", "the program `events` is not built")
    value = median(figures["stuck"], "per_second") / median(figures["none"], "per_second")
    least, most = spread(*([run["per_second"] for run in figures[kind]] for kind in ("stuck", "none")))
    what, limit = "messages/s with a subscriber that never reads, to none", ">= 0.95 x"
    return [rate, Goal(what, limit, f"{value:.3f} x ({least:.3f} to {most:.3f})", _verdict(value >= 0.95))]


def _workers(figures: Dict[str, Any]) -> List[Goal]:
    what, limit = "messages/s of two workers, to one", ">= 1.8 x"
    one, two = figures["1"], figures["2"]
    value = median(two, "per_second") / median(one, "per_second")
    cpu = median(two, "cpu_us") / median(one, "cpu_us")
    cost = f"processor time of a message: {median(one, 'cpu_us'):.1f} us with one, {median(two, 'cpu_us'):.1f} with two ({cpu:.2f} x)"
    if figures["share"] < 1:
        what += f", each held to {figures['share']:.1f} of a processor"
        cost = f"there are {figures['processors']} processors (nproc), and the load needs some of them; {cost}"
    elif figures["processors"] < PROCESSORS_FOR_TWO_WORKERS:
        why = f"cannot be shown on {figures['processors']} processors (nproc): two workers need one each, and the load others; {cost}"
        return [Goal(what, limit, f"{value:.2f} x", NOT_SHOWN, why)]
    return [Goal(what, limit, f"{value:.2f} x", _verdict(value >= 1.8), cost)]


def evaluate(figures: Dict[str, Any]) -> List[Goal]:
    """One for each goal of the parts that were measured, in the order of the document."""
    judges: Dict[str, Callable[[Any], List[Goal]]] = {
        "throughput": lambda systems: [goal.judge(systems, kind) for goal in RATIOS for kind in KINDS],
        "latency": _latency,
        "idle": _idle,
        "large": _large,
        "events": _events,
        "workers": _workers,
    }
    return [goal for part, judge in judges.items() if part in figures for goal in judge(figures[part])]
