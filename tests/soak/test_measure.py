"""That growth of memory and descriptors is seen, and noise is not taken for it."""

import random
import unittest
from typing import Callable, List

from measure import BOUND, Sample, grown, growth

END = 600


def samples(rss: Callable[[int], float], since: int = 0) -> List[Sample]:
    """Of a worker that is there since then, and of one that is there all the time; every five seconds."""
    other = [Sample(seconds, "worker", 7, 9000, 9000, 20) for seconds in range(0, END, 5)]
    return other + [Sample(seconds, "worker", 9, int(rss(seconds)), 9000, 20) for seconds in range(since, END, 5)]


class Memory(unittest.TestCase):
    def over(self, rss: Callable[[int], float]) -> List[bool]:
        return [one.rise > BOUND for one in growth(samples(rss), "worker", 100, END)]

    def test_flat(self) -> None:
        chance = random.Random(3)
        for name, rss in {
            "constant": lambda seconds: 10000.0,
            "noise": lambda seconds: 10000 + chance.uniform(0, 1000),
            "peaks": lambda seconds: 16000.0 if seconds % 70 == 0 else 10000.0,
            "falls": lambda seconds: 20000 - seconds * 10,
            "warms up": lambda seconds: 10000 + min(seconds, 100) * 50,
        }.items():
            with self.subTest(name):
                self.assertEqual(self.over(rss), [False, False])

    def test_growth(self) -> None:
        chance, rate = random.Random(3), 1.2 * BOUND / 500
        for name, rss in {
            "line": lambda seconds: 10000 + rate * seconds,
            "line with noise": lambda seconds: 10000 + 1.2 * rate * seconds + chance.uniform(0, 500),
            "step": lambda seconds: 10000 + (seconds > 350) * 1.5 * BOUND,
        }.items():
            with self.subTest(name):
                self.assertEqual(self.over(rss), [False, True])

    def test_only_who_was_there(self) -> None:
        self.assertEqual(len(growth(samples(lambda seconds: 10000.0, since=300), "worker", 100, END)), 1)
        self.assertEqual(growth(samples(lambda seconds: 10000.0), "hub", 100, END), [])


class Descriptors(unittest.TestCase):
    def test_grown(self) -> None:
        before = {"hub": ["socket:[1]", "socket:[2]", "/dev/null"], "worker": ["socket:[1]"]}
        same = {"hub": ["socket:[8]", "socket:[9]", "/dev/null"], "worker": ["socket:[7]", "anon_inode:[eventpoll]"]}
        self.assertEqual(grown(before, same), {})
        for role, more, name in (
            ("hub", "socket:[10]", "1 socket"),
            ("hub", "/x", "1 /x"),
            ("worker", "socket:[10]", "1 socket"),
            ("worker", "anon_inode:[eventpoll]", "1 anon_inode:[eventpoll]"),
        ):
            with self.subTest(more):
                self.assertEqual(grown(before, {**same, role: [*same[role], more]}), {role: [name]})


if __name__ == "__main__":
    unittest.main()
