"""The figures as tables. Nothing is measured here."""

import statistics
from typing import Any, Dict, List, Sequence

from bench.goals import KINDS, SINK, Goal, added, differences, median


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns as wide as what they hold; the first one to the left, the others to the right."""
    lines: List[Sequence[str]] = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]

    def one(line: Sequence[str]) -> str:
        cells = [line[0].ljust(widths[0])] + [cell.rjust(width) for cell, width in zip(line[1:], widths[1:])]
        return "  ".join(cells).rstrip()

    return "\n".join(map(one, lines)) + "\n"


def _beside(runs: Sequence[Dict[str, Any]]) -> str:
    names = runs[0]["beside_us"]
    return ", ".join(f"{median([run['beside_us'][name] for run in runs]):.0f} {name}" for name in names) or "-"


def systems(figures: Dict[str, Any]) -> str:
    """Medians of all systems. Ratios are to smtp-sink; without it there are none."""
    parts = []
    for kind, title in KINDS.items():
        sink = figures.get(SINK, {}).get(kind)
        rows = []
        for name, of in figures.items():
            runs = of.get(kind)
            if not runs:
                rows.append([name, "failed", "", "", "", ""])
                continue
            cells = [name]
            for key, form in (("per_second", "{:.0f}"), ("cpu_us", "{:.0f}")):
                value = median(runs, key)
                cells += [form.format(value), f"{value / median(sink, key):.2f}" if sink else "-"]
            rows.append([*cells, _beside(runs)])
        parts.append(table((title, "msg/s", "ratio", "CPU us/msg", "ratio", "beside it, us/msg"), rows))
    return "\n".join(parts)


def _pairs(title: str, pairs: Sequence[Dict[str, Any]]) -> str:
    keys = ("p50", "p99")
    rows = []
    for name, label in (("without", "no service"), ("with", "a C service"), ("socket", "the socket alone")):
        of = [pair[name] for pair in pairs]
        rows.append([label, *(f"{median(of, key):.1f}" for key in keys), f"{median(of, 'per_second'):.0f}"])
    rows.append(["added by the service, median of the pairs' differences", *(f"{added(pairs, key):.1f}" for key in keys), ""])
    for label, place in (("  a quarter of them below", 0), ("  a quarter of them above", 2)):
        quarters = [statistics.quantiles(differences(pairs, key), n=4) for key in keys]
        rows.append([label, *(f"{of[place]:.1f}" for of in quarters), ""])
    return table((title, "p50 us", "p99 us", "a second"), rows)


def latency(figures: Dict[str, Any]) -> str:
    places = {"pinned": "client on a processor of its own", "unpinned": "as the system likes"}
    return "\n".join(
        _pairs(f"RCPT to its reply, {window} open at a time, {places[name]}", pairs)
        for name, windows in figures.items()
        for window, pairs in windows.items()
    )


def runs_of(title: str, figures: Dict[str, Any], names: Dict[str, str]) -> str:
    """A row for each of some kinds of run."""
    rows = [
        [label, f"{median(figures[name], 'per_second'):.0f}", f"{median(figures[name], 'cpu_us'):.1f}"]
        for name, label in names.items()
        if figures.get(name)
    ]
    return table((title, "msg/s", "CPU us/msg"), rows)


def idle(figures: Dict[str, Any]) -> str:
    rows = [[name, f"{median(runs):.2f}"] for name, runs in figures.items() if isinstance(runs, list)]
    return table(("an idle connection after EHLO", "KiB"), rows)


def goals(found: Sequence[Goal]) -> str:
    rows = [[goal.what, goal.goal, goal.measured, goal.verdict] for goal in found]
    text = table(("what", "goal", "measured", "verdict"), rows)
    remarks = [f"  {goal.what}: {goal.why}" for goal in found if goal.why]
    return text + ("\n" + "\n".join(remarks) + "\n" if remarks else "")


def scaling(figures: Dict[str, Any]) -> str:
    parts = []
    heads = {
        "sessions": ("sessions", "msg/s", "CPU us/msg", "KiB a connection, idle", "KiB, most under load"),
        "workers": ("workers", "msg/s", "CPU us/msg"),
        "services": ("services in the chain", "msg/s", "CPU us/msg", "services, us/msg"),
    }
    for name, head in heads.items():
        rows = []
        for row in figures.get(name, []):
            cells = [f"{row['count']:,}"]
            if "failed" in row:
                rows.append([*cells, row["failed"], *[""] * (len(head) - 2)])
                continue
            cells += [f"{row['per_second']:.0f}", f"{row['cpu_us']:.1f}"]
            if name == "sessions":
                cells += [f"{row['idle_kib']:.2f}", f"{row['busy_kib']:.2f}"]
            elif name == "services":
                cells.append(f"{row['beside_us'].get('service', 0):.1f}")
            rows.append(cells)
        parts.append(table(head, rows))
    return "\n".join(parts)


def stages(figures: Dict[str, Any]) -> str:
    rows = []
    for name, row in figures["rows"].items():
        times = [f"{row[process]:.2f}" for process in ("worker", "hub")]
        rows.append([name, *times, *(f"{row[f'{process}_part']:.0%}" for process in ("worker", "hub"))])
    text = table(("stage", "worker us/msg", "hub us/msg", "worker", "hub"), rows)
    for process in ("worker", "hub"):
        top = [[name, f"{us:.2f}"] for name, us in figures["top"][process]]
        text += "\n" + table((f"most of the {process}'s, by function", "us/msg"), top)
    return text
