"""What the benchmark makes of figures. All figures here are made up; nothing is measured."""

import json
import pathlib
import subprocess
import sys
import unittest
from typing import Any, Dict, List

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from bench import goals, report, stages  # noqa: E402


def runs(*values: float, cpu_us: float = 100.0) -> List[Dict[str, Any]]:
    return [{"messages": 1000, "per_second": value, "cpu_us": cpu_us, "beside_us": {}} for value in values]


def made_up_systems() -> Dict[str, Any]:
    """gatepost with exactly the goals' ratios: twice smtp-sink's processor time, eight and five times the others' messages."""
    of = {
        goals.SINK: runs(20000, 20000, 20000, cpu_us=50),
        goals.OURS_DISCARD: runs(8000, 8000, 8000, cpu_us=100),
        goals.OURS_PASSED_ON: runs(5000, 5000, 5000),
        goals.OURS_MAILDIR: runs(2500, 2500, 2500),
        goals.OURS_MAILDIR_ALONE: runs(2500, 2500, 2500),
        goals.POSTFIX_MILTER: runs(1000, 1000, 1000),
        goals.POSTFIX_QUEUE: runs(500, 500, 500),
    }
    return {name: {kind: list(values) for kind in goals.KINDS} for name, values in of.items()}


def latency_pairs(*differences: float) -> List[Dict[str, Any]]:
    answer = {"per_second": 10000.0, "p50": 50.0, "p99": 100.0}
    return [
        {"without": answer, "with": {**answer, "p50": 50.0 + more, "p99": 100.0 + 4 * more}, "socket": answer} for more in differences
    ]


def event_rates(*values: float, lost: float = 0.0) -> List[Dict[str, float]]:
    return [{"per_second": value, "lost": lost} for value in values]


def made_up_figures() -> Dict[str, Any]:
    pairs = latency_pairs(20, 25, 30, -500)
    return {
        "throughput": made_up_systems(),
        "latency": {place: {window: pairs for window in ("1", "64")} for place in ("pinned", "unpinned")},
        "idle": {
            "plain": [2.9, 3.0, 9.0], "tls": [24.0, 25.5, 26.0],
            "held_plain": {"count": 50000, "kib": 3.0, "workers": 3, "files": 20000}, "held_tls": {"count": 0, "failed": "no memory"},
        },
        "large": {"over_base_mib": [10.0, 65.0, 20.0], "seconds": [1.0, 1.0, 1.0]},
        "events": {"rate": event_rates(199999, 200000, 300000), "none": runs(1000, 1010), "reads": runs(990), "stuck": runs(940, 960)},
        "workers": {"processors": 2, "share": 1.0, "1": runs(1000), "2": runs(1100)},
    }  # fmt: skip


def verdicts(figures: Dict[str, Any]) -> List[str]:
    return [goal.verdict for goal in goals.evaluate(figures)]


class Numbers(unittest.TestCase):
    def test_median(self) -> None:
        self.assertEqual(goals.median([3, 100, 1]), 3)
        self.assertEqual(goals.median([1, 2, 3, 100]), 2.5)
        self.assertEqual(goals.median(runs(7, 1, 100), "per_second"), 7)

    def test_ratio(self) -> None:
        """Of the medians, not the median of the rounds' ratios; these are the bounds beside it."""
        systems = {"a": {"fresh": runs(10, 90, 30)}, "b": {"fresh": runs(10, 10, 15)}}
        self.assertEqual(goals.ratio(systems, "a", "b", "fresh", "per_second"), (3.0, 1.0, 9.0))
        self.assertIsNone(goals.ratio(systems, "a", "c", "fresh", "per_second"))
        self.assertIsNone(goals.ratio(systems, "a", "b", "reused", "per_second"))

    def test_latency_is_of_pairs(self) -> None:
        self.assertEqual(goals.added(latency_pairs(1, 2, 900), "p50"), 2)
        self.assertEqual(goals.added(latency_pairs(-5, -5, 3), "p99"), -20)


class Verdicts(unittest.TestCase):
    def test_bounds_are_met(self) -> None:
        self.assertEqual(verdicts({"throughput": made_up_systems()}), [goals.MET] * 10)

    def test_each_can_be_missed(self) -> None:
        """One figure is made a little worse at a time; only its goal changes."""
        worse = [
            (goals.OURS_DISCARD, "cpu_us", 1.01, {0}), (goals.OURS_DISCARD, "per_second", 0.99, {1}),
            (goals.OURS_PASSED_ON, "per_second", 0.99, {2}), (goals.OURS_MAILDIR_ALONE, "per_second", 0.99, {3}),
            (goals.OURS_MAILDIR, "per_second", 0.99, {4}), (goals.SINK, "cpu_us", 0.99, {0}),
            (goals.POSTFIX_MILTER, "per_second", 1.01, {1, 2}), (goals.POSTFIX_QUEUE, "per_second", 1.01, {3, 4}),
        ]  # fmt: skip
        for name, key, factor, expected in worse:
            for place, kind in enumerate(goals.KINDS):
                with self.subTest(name=name, key=key, kind=kind):
                    systems = made_up_systems()
                    systems[name][kind] = [{**run, key: run[key] * factor} for run in systems[name][kind]]
                    missed = {n for n, verdict in enumerate(verdicts({"throughput": systems})) if verdict == goals.MISSED}
                    self.assertEqual(missed, {2 * goal + place for goal in expected})

    def test_what_is_missing_is_not_met(self) -> None:
        systems = made_up_systems()
        del systems[goals.POSTFIX_QUEUE]
        systems[goals.POSTFIX_MILTER] = {"fresh": [], "reused": [], "failed": "it did not start"}
        found = goals.evaluate({"throughput": systems})
        self.assertEqual([goal.verdict for goal in found], [goals.MET] * 2 + [goals.NOT_MEASURED] * 8)
        self.assertIn("it did not start", found[2].why)
        self.assertIn("not in this run", found[6].why)

    def test_other_parts(self) -> None:
        figures = made_up_figures()
        expected = {
            "latency": [goals.MET, goals.MET], "idle": [goals.MET, goals.MISSED, goals.MET, goals.MISSED], "large": [goals.MISSED],
            "events": [goals.MET, goals.MISSED], "workers": [goals.NOT_SHOWN],
        }  # fmt: skip
        for part, words in expected.items():
            with self.subTest(part):
                self.assertEqual(verdicts({part: figures[part]}), words)

    def test_two_workers(self) -> None:
        """On two processors the reason is said with their number; on four the ratio counts."""
        figures = made_up_figures()["workers"]
        self.assertIn("2 processors (nproc)", goals.evaluate({"workers": figures})[0].why)
        self.assertEqual(verdicts({"workers": {**figures, "processors": 4}}), [goals.MISSED])
        self.assertEqual(verdicts({"workers": {"processors": 4, "share": 1.0, "1": runs(1000), "2": runs(1800)}}), [goals.MET])
        figures = {"processors": 2, "share": 0.2, "1": runs(1000), "2": runs(1800)}
        self.assertIn("held to 0.2 of a processor", goals.evaluate({"workers": figures})[0].what)
        self.assertEqual(verdicts({"workers": figures}), [goals.MET])
        self.assertEqual(verdicts({"workers": {**figures, "2": runs(1799)}}), [goals.MISSED])

    def test_events(self) -> None:
        """Those that were lost are said."""
        figures = made_up_figures()["events"]
        first = goals.evaluate({"events": figures})[0]
        self.assertEqual((first.verdict, first.why), (goals.MET, "none was lost"))
        figures["rate"] = event_rates(199999, 199999, 900000, lost=1000)
        first = goals.evaluate({"events": figures})[0]
        self.assertEqual(first.verdict, goals.MISSED)
        self.assertIn("3,000", first.why)
        first = goals.evaluate({"events": {**figures, "rate": []}})[0]
        self.assertEqual(first.verdict, goals.NOT_MEASURED)

    def test_all_parts_are_judged(self) -> None:
        found = goals.evaluate(made_up_figures())
        self.assertEqual(len(found), 20)
        json.dumps([goal.as_json() for goal in found])


class Tables(unittest.TestCase):
    def test_columns(self) -> None:
        self.assertEqual(report.table(("a", "bcd"), [["long", "1"], ["x", "20000"]]), "a       bcd\nlong      1\nx     20000\n")

    def test_systems(self) -> None:
        text = report.systems(made_up_systems())
        self.assertRegex(text, rf"{goals.OURS_DISCARD} +8000 +0\.40 +100 +2\.00 +-\n")
        self.assertNotIn("failed", text)
        self.assertRegex(report.systems({"x": {"fresh": [], "reused": [], "failed": "why"}}), r"x +failed\n")

    def test_all_print(self) -> None:
        figures = made_up_figures()
        text = report.latency(figures["latency"]) + report.idle(figures["idle"]) + report.goals(goals.evaluate(figures))
        self.assertRegex(text, r"differences +22\.5 +90\.0\n")
        self.assertRegex(text, r"cannot be shown\n")


class Stages(unittest.TestCase):
    TEXT = """
   17
\tffffffff81000001 _raw_spin_unlock ([kernel.kallsyms])
\tffffffff81000002 __sys_sendto ([kernel.kallsyms])
\tffffffff81000003 __x64_sys_sendto ([kernel.kallsyms])
\t          1058a4 __send (/usr/lib/libc.so.6)

   18
\t            1e160 ring_peek (/x/build/gateway/gatepost)
"""

    def test_samples(self) -> None:
        samples = stages.parse_samples(self.TEXT)
        self.assertEqual([(pid, len(frames)) for pid, frames in samples], [(17, 4), (18, 1)])
        self.assertEqual(stages.kernel_stage(samples[0][1]), "kernel: sendto")
        self.assertEqual(stages.kernel_stage([(1 << 63, "asm_timer", "[kernel.kallsyms]")]), "kernel: other")
        self.assertEqual(stages.kernel_stage([(1 << 63, "exc_page_fault", "[kernel.kallsyms]")]), "kernel: page fault")

    def test_rooms(self) -> None:
        self.assertEqual(stages.room_of(f"{ROOT}/gateway/smtp/smtp.c"), "smtp")
        self.assertEqual(stages.room_of(f"{ROOT}/gateway/main.c"), "gateway")
        self.assertEqual(stages.room_of(f"{ROOT}/protocol/jsonl.c"), "protocol")
        self.assertEqual(stages.room_of("/usr/include/string.h"), "")
        self.assertEqual(stages.room_of("??"), "")
        self.assertEqual(stages.library_of("/usr/lib/x86_64-linux-gnu/libev.so.4.0.0"), "libev")


class Program(unittest.TestCase):
    def test_help(self) -> None:
        """All modules load and the options are read."""
        result = subprocess.run([str(ROOT / "tests" / "bench" / "run"), "--help"], stdout=subprocess.PIPE, text=True, timeout=60)
        self.assertEqual(result.returncode, 0)
        for word in ("--runs", "--scaling", "--stages", "--latency", "--json"):
            self.assertIn(word, result.stdout)

    def test_nonsense(self) -> None:
        command = [str(ROOT / "tests" / "bench" / "run"), "--runs", "0"]
        self.assertEqual(subprocess.run(command, stderr=subprocess.DEVNULL, timeout=60).returncode, 2)


if __name__ == "__main__":
    unittest.main()
