"""`gatepost drive` and what a reply carries beside its verdict, and what a service says beside its replies."""

from typing import Any, Dict, List

from gateway import unittest

from test_drive import REGISTER, drive, liar, reply

DROP = [{"edit": "drop_recipient", "index": 1}]


class Replies(unittest.TestCase):
    def test_what_a_service_keeps_comes_back(self) -> None:
        kept: Dict[str, Any] = {
            "connect": {"session": {"n": 1}},
            "mail": {"transaction": {"m": [1.5]}},
            "rcpt": {"session": None},
        }
        asked: List[Any] = []

        def keeper(request: Dict[str, Any]) -> bytes:
            asked.append((request["hook"], request.get("keep")))
            return reply(request, keep=kept[request["hook"]])

        register = {**REGISTER, "hooks": {hook: {} for hook in kept}}
        lines = "".join(f'{{"hook":"{hook}"}}\n' for hook in ("connect", "mail", "rcpt", "rcpt", "mail"))
        with liar(keeper, register) as (path, _):
            result = drive(path, script=lines)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertEqual(
            asked,
            [
                ("connect", None),
                ("mail", {"session": {"n": 1}}),
                ("rcpt", {"session": {"n": 1}, "transaction": {"m": [1.5]}}),
                ("rcpt", {"transaction": {"m": [1.5]}}),
                ("mail", None),
            ],
        )
        self.assertIn("1: connect: accept keeps session\n", result.stdout)
        self.assertIn("3: rcpt: accept forgets session\n", result.stdout)

    def test_what_a_reply_carries_can_be_expected(self) -> None:
        edits = [{"edit": "set_sender", "address": ""}]
        fields = {"verdict": "quarantine", "until": "session", "labels": ["bulk", "held"], "edits": edits}
        with liar(lambda r: reply(r, **fields)) as (path, _):
            good = drive(path, script='{"hook":"mail","expect":{"until":"session","label":"held","edits":1}}\n')
            bad = drive(path, script='{"hook":"mail","expect":{"label":"hel"}}\n')
        self.assertEqual((good.returncode, good.stderr), (0, ""))
        self.assertEqual(good.stdout, "1: mail: quarantine until session labels bulk held edits 1\n")
        self.assertEqual(bad.returncode, 1)
        self.assertIn("mail: expected any verdict label hel, found quarantine until session labels bulk held", bad.stderr)

    def test_a_window_that_changes_is_kept(self) -> None:
        """It pauses after each reply, and then takes one request at a time."""
        opened: List[int] = []

        def narrow(request: Dict[str, Any]) -> bytes:
            opened.append(request["id"])
            return b'{"type":"window","n":0}\n' + reply(request) + b'{"type":"window","n":1}\n'

        with liar(narrow) as (path, service):
            result = drive(path, script='{"pipeline":true}\n{"hook":"mail","repeat":20}\n')
            measured = drive(path, "--measure", "--count", "20", "--hook", "rcpt")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual((measured.returncode, measured.stderr), (0, ""))
            self.assertEqual(service.wrong, [])
        self.assertEqual(opened[:20], list(range(1, 21)))

    def test_rules_that_are_broken(self) -> None:
        rows = (
            (lambda r: reply(r, verdict="reject", edits=DROP), "bad_reply: reply to request 1: edits do not fit the verdict"),
            (lambda r: reply(r, edits=DROP), "bad_reply: reply to request 1: the edit drop_recipient is not allowed at mail"),
            (lambda r: b'{"type":"progress","id":1,"extend_ms":0}\n', 'bad_message: "extend_ms" must be an integer of 1'),
            (lambda r: b'{"type":"window"}\n', 'bad_message: "n" must be an integer'),
        )
        for answer, rule in rows:
            with self.subTest(rule=rule), liar(answer) as (path, _):
                for arguments in ({"script": '{"hook":"mail"}\n'}, {}):
                    result = drive(path, *(() if arguments else ("--measure", "--hook", "mail")), **arguments)
                    self.assertEqual(result.returncode, 76, result.stdout + result.stderr)
                    self.assertIn(f"gatepost drive: the service breaks the protocol: {rule}", result.stderr)


if __name__ == "__main__":
    unittest.main()
