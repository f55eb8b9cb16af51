"""Verdicts and edits: what is sent, and that a wrong one is refused where it is built, with words that help."""

import unittest
from typing import Any, Callable, Dict, List, Tuple

import gatepost
from gatepost import edits, wire

Wrong = List[Tuple[Callable[[], Any], str]]


def nested(depth: int) -> Dict[str, Any]:
    value: Dict[str, Any] = {}
    for _ in range(depth - 1):
        value = {"a": value}
    return value


class Verdicts(unittest.TestCase):
    def refused(self, wrong: Wrong) -> None:
        for number, (build, words) in enumerate(wrong):
            with self.subTest(number=number, words=words):
                with self.assertRaises(ValueError) as raised:
                    build()
                self.assertIn(words, str(raised.exception))

    def test_wire_form(self) -> None:
        wanted: List[Tuple[gatepost.Verdict, Dict[str, Any]]] = [
            (gatepost.accept(), {"verdict": "accept"}),
            (gatepost.bypass("ok", 250, "2.0.0"), {"verdict": "bypass", "code": 250, "status": "2.0.0", "text": "ok"}),
            (gatepost.quarantine(labels=["a", "b.c"]), {"verdict": "quarantine", "labels": ["a", "b.c"]}),
            (gatepost.discard(reason="spam"), {"verdict": "discard", "reason": "spam"}),
            (gatepost.discard("Thank you", 250, "2.0.0"), {"verdict": "discard", "code": 250, "status": "2.0.0", "text": "Thank you"}),
            (gatepost.tempfail(until="session"), {"verdict": "tempfail", "until": "session"}),
            (gatepost.reject(["a", "b"]), {"verdict": "reject", "text": ["a", "b"]}),
            (gatepost.disconnect(code=554), {"verdict": "disconnect", "code": 554}),
            (gatepost.accept(keep_session={"a": [1, "x", None]}), {"verdict": "accept", "keep": {"session": {"a": [1, "x", None]}}}),
            (gatepost.accept(ref="new/1 ~"), {"verdict": "accept", "ref": "new/1 ~"}),
            (gatepost.quarantine(ref="x" * 128), {"verdict": "quarantine", "ref": "x" * 128}),
            (gatepost.bypass(ref="1"), {"verdict": "bypass", "ref": "1"}),
            (gatepost.tempfail(keep_transaction={}), {"verdict": "tempfail", "keep": {"transaction": None}}),
            (
                gatepost.accept(edits=[edits.add_header("X", "y"), edits.delete_header("Z", nth=0)]),
                {"verdict": "accept", "edits": [{"edit": "add_header", "at": "top", "name": "X", "value": "y"},
                                                {"edit": "delete_header", "name": "Z", "nth": 0}]},
            ),
        ]  # fmt: skip
        for verdict, fields in wanted:
            with self.subTest(verdict=verdict):
                message = verdict.message(3)
                wire.check(message)
                self.assertEqual(message, {"type": "reply", "id": 3, **fields})

    def test_reply(self) -> None:
        self.refused([
            (lambda: gatepost.reject("No", 450), "use 500 to 599"),
            (lambda: gatepost.quarantine(code=451), "use 200 to 299"),
            (lambda: gatepost.Verdict("discard", status="5.7.1"), "does not fit the verdict discard"),
            (lambda: gatepost.reject("No", 550, "4.7.1"), "does not match code 550"),
            (lambda: gatepost.tempfail("line\r\n250 OK"), "printable ASCII"),
            (lambda: gatepost.accept("x" * 481), "1 to 480 characters"),
            (lambda: gatepost.reject([]), "1 to 10 strings"),
            (lambda: gatepost.reject(["x"] * 11), "1 to 10 strings"),
            (lambda: gatepost.reject("caf\u00e9"), "printable ASCII"),
            (lambda: gatepost.accept(reason="Not A Token"), "a-z 0-9 _ . -"),
            (lambda: gatepost.accept(until="tomorrow"), '"command", "transaction" or "session"'),
            (lambda: gatepost.Verdict("discard", until="session"), "discard cannot stand"),
            (lambda: gatepost.Verdict("reject", edits=(edits.drop_recipient(1),)), "reject cannot have edits"),
            (lambda: gatepost.Verdict("maybe"), "use accept, bypass"),
        ])  # fmt: skip

    def test_ref(self) -> None:
        self.refused([
            (lambda: gatepost.accept(ref=""), "1 to 128 characters"),
            (lambda: gatepost.accept(ref="x" * 129), "1 to 128 characters"),
            (lambda: gatepost.accept(ref=" x"), "without spaces at its ends"),
            (lambda: gatepost.accept(ref="x "), "without spaces at its ends"),
            (lambda: gatepost.accept(ref="x\n"), "printable ASCII"),
            (lambda: gatepost.accept(ref="a\r\nb"), "printable ASCII"),
            (lambda: gatepost.accept(ref="gr\u00fc\u00df"), "printable ASCII"),
            (lambda: gatepost.quarantine(ref=7), "printable ASCII"),  # type: ignore[arg-type]
            (lambda: gatepost.Verdict("discard", ref="x"), "discard cannot have a ref"),
            (lambda: gatepost.Verdict("reject", ref="x"), "reject cannot have a ref"),
        ])  # fmt: skip

    def test_labels(self) -> None:
        gatepost.accept(labels=["x" * 64] * 16)
        self.refused([
            (lambda: gatepost.accept(labels=["x"] * 17), "1 to 16 words"),
            (lambda: gatepost.accept(labels=["x" * 65]), "1 to 64 characters"),
            (lambda: gatepost.accept(labels=["Spam"]), "a-z 0-9 _ . -"),
            (lambda: gatepost.accept(labels="spam"), "must be a list"),
        ])  # fmt: skip

    def test_keep(self) -> None:
        gatepost.accept(keep_session={"a": "x" * (4096 - len('{"a":""}'))})
        gatepost.accept(keep_session={"a": "\u00e9" * 2044}, keep_transaction=nested(14))
        gatepost.accept(keep_session={"a": [0.5] * 1022})  # 4095 octets
        self.refused([
            (lambda: gatepost.accept(keep_session={"a": [0.1] * 220}), "4407 octets"),  # 0.10000000000000001
            (lambda: gatepost.accept(keep_session={"a": "x" * (4097 - len('{"a":""}'))}), "4097 octets as JSON, 4096 are allowed"),
            (lambda: gatepost.accept(keep_session={"a": "\u00e9" * 2045}), "4098 octets"),
            (lambda: gatepost.accept(keep_transaction=nested(15)), "nested"),
            (lambda: gatepost.accept(keep_session={1: 2}), "string keys"),  # type: ignore[dict-item]
            (lambda: gatepost.accept(keep_session={"a": (1, 2)}), "lists instead of tuples"),
            (lambda: gatepost.accept(keep_session={"a": {1, 2}}), "cannot be sent as JSON"),
            (lambda: gatepost.accept(keep_session={"a": float("nan")}), "cannot be sent as JSON"),
            (lambda: gatepost.accept(keep_session={"a": "\ud800"}), "cannot be sent as JSON"),
            (lambda: gatepost.accept(keep_session={"a": "\0"}), "NUL"),
            (lambda: gatepost.accept(keep_session={"a": 2**53}), "beyond 2^53-1"),
            (lambda: gatepost.accept(keep_session=["a"]), "must be a dict"),  # type: ignore[arg-type]
        ])  # fmt: skip

    def test_edits(self) -> None:
        gatepost.accept(edits=[edits.add_header("X", "y")] * 100)
        edits.add_header("X" * 64, "")
        edits.add_header("X", "y" * 995)
        edits.add_header("Subject", "caf\u00e9\tx\r\n " + "y" * 997)
        edits.set_sender("")
        self.refused([
            (lambda: gatepost.accept(edits=[edits.add_header("X", "y")] * 101), "at most 100"),
            (lambda: gatepost.accept(edits=[{"edit": "add_header"}]), "build it with gatepost.edits"),  # type: ignore[list-item]
            (lambda: edits.add_header("X", "y" * 996), "fold it"),
            (lambda: edits.add_header("X", "y\r\n " + "z" * 998), "fold it"),
            (lambda: edits.add_header("X" * 65, "y"), "1 to 64 characters"),
            (lambda: edits.add_header("X Y", "y"), "without space and colon"),
            (lambda: edits.add_header("X:", "y"), "without space and colon"),
            (lambda: edits.add_header("X\n", "y"), "without space and colon"),
            (lambda: edits.add_header("X", "y\nZ: 1"), "break lines with"),
            (lambda: edits.add_header("X", "y\r\nZ: 1"), "goes on with a space or tab"),
            (lambda: edits.add_header("X", "y\r\n \t\r\n z"), "goes on with a space or tab, and text"),
            (lambda: edits.add_header("X", "y\r\n"), "goes on with a space or tab"),
            (lambda: edits.add_header("X", "y\0"), "is allowed in a header"),
            (lambda: edits.add_header("X", "\ud800"), "is allowed in a header"),
            (lambda: edits.add_header("X", b"y"), "must be a string"),  # type: ignore[arg-type]
            (lambda: edits.add_header("X", "y", at="middle"), '"top" or "bottom"'),
            (lambda: edits.replace_header("X", "y", nth=0), "integer from 1"),
            (lambda: edits.delete_header("X", nth=-1), "integer from 0"),
            (lambda: edits.drop_recipient(0), "integer from 1"),
            (lambda: edits.drop_recipient(True), "integer from 1"),
            (lambda: edits.add_recipient(""), "needs an address"),
            (lambda: edits.add_recipient("<a@x>"), "angle brackets"),
            (lambda: edits.set_sender("a\r\n@x"), "control characters"),
            (lambda: edits.Edit({"edit": "rename"}), "unknown edit"),
        ])  # fmt: skip

    def test_need(self) -> None:
        service = gatepost.Service("s")
        self.refused([
            (lambda: service.connect(need=["mail"]), "only at rcpt, data, message"),
            (lambda: service.mail(need=["weather"]), "not known: use client"),
            (lambda: service.mail(need="tls"), "must be a list"),
            (lambda: gatepost.Service("s", threads=0), "at least 1"),
            (lambda: gatepost.Service("s", body=["inline"]), "needs a fallback"),
        ])  # fmt: skip


if __name__ == "__main__":
    unittest.main()
