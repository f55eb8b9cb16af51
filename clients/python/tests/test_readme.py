"""Each example of the README does what it says."""

import pathlib
import re
import unittest
from typing import Any, Dict, Iterator
from unittest import mock

import gatepost
from gatepost.testing import Session

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


def items(path: str, events: Any) -> Iterator[Any]:
    yield gatepost.Gap("lag", "E", 1, 3, 3)
    yield gatepost.Event("E", 4, "message", "2026-11-24T11:03:15.482113Z", None, None, {"size": 3}, {})


class Readme(unittest.TestCase):
    def setUp(self) -> None:
        blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.S)
        self.names: Dict[str, Any] = {"__name__": "readme"}
        with mock.patch("gatepost.Service.run") as run, mock.patch("gatepost.Subscriber", items), mock.patch("builtins.print") as out:
            for block in blocks:
                exec(compile(block, str(README), "exec"), self.names)
        run.assert_called_once_with("/run/blocklist/policy.sock")
        self.assertEqual([call.args for call in out.call_args_list], [("missed", 3, "lag"), ("message", {"size": 3})])

    def test_functions(self) -> None:
        tests = [function for name, function in self.names.items() if name.startswith("test_")]
        self.assertEqual(len(tests), 6)
        for test in tests:
            with self.subTest(test=test.__name__):
                test()

    def test_until(self) -> None:
        session = Session(self.names["service"], client_ip="192.0.2.7")
        self.assertEqual(session.connect().asked, True)
        self.assertEqual((session.mail("spam@example.net").code, session.rcpt("nobody@example.com").code), (250, 250))

    def test_keep_and_labels(self) -> None:
        session = Session(self.names["service"])
        session.mail("alice@example.net")
        labels = [session.rcpt(f"guess{number}@example.com").labels for number in range(4)]
        self.assertEqual(labels, [(), (), (), ("guesser",)])
        suspect = Session(self.names["service"], labels=["suspect"])
        suspect.mail("alice@example.net")
        self.assertEqual(suspect.rcpt("guess@example.com").labels, ("guesser",))


if __name__ == "__main__":
    unittest.main()
