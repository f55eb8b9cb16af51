"""Header edits as gatepost.testing makes them: the same cases as tests/unit/message/test_header_edit.c."""

import unittest

import gatepost
from gatepost import edits
from gatepost.testing import Session


class Headers(unittest.TestCase):
    def check(self, before: bytes, after: bytes, *changes: gatepost.Edit) -> None:
        service = gatepost.Service("t")
        service.message(lambda request: gatepost.accept(edits=changes))
        session = Session(service)
        session.mail("a@x")
        session.rcpt("b@x")
        self.assertEqual(session.message(before).message, after)

    def test_add(self) -> None:
        self.check(b"A: 1\r\n\r\nx", b"X: 1\r\nY: 2\r\nA: 1\r\n\r\nx", edits.add_header("X", "1"), edits.add_header("Y", "2"))
        bottom = [edits.add_header(name, "1", at="bottom") for name in "XY"]
        self.check(b"A: 1\r\n\r\nx", b"A: 1\r\nX: 1\r\nY: 1\r\n\r\nx", *bottom)
        self.check(b"A: 1", b"A: 1\r\nX: 1\r\nY: 1\r\n", *bottom)
        self.check(b"\r\nbody", b"X: 1\r\nY: 1\r\n\r\nbody", *bottom)
        self.check(b"From me\r\nA: 1\r\n\r\n", b"From me\r\nX: 1\r\nA: 1\r\n\r\n", edits.add_header("X", "1"))
        self.check(b"A: 1\r\nnonsense\r\nB: 2\r\n\r\n", b"A: 1\r\nX: 1\r\nnonsense\r\nB: 2\r\n\r\n", edits.add_header("X", "1", at="bottom"))

    def test_replace(self) -> None:
        two = b"A: 1\r\n\tmore\r\nb : 2\r\na: 3\r\n\r\nA: body\r\n"
        self.check(two, b"a: x\r\nb : 2\r\na: 3\r\n\r\nA: body\r\n", edits.replace_header("a", "x"))
        self.check(two, b"A: 1\r\n\tmore\r\nb : 2\r\nA: x\r\n y\r\n\r\nA: body\r\n", edits.replace_header("A", "x\r\n y", nth=2))
        self.check(two, b"A: 1\r\n\tmore\r\nB: x\r\na: 3\r\n\r\nA: body\r\n", edits.replace_header("B", "x"))
        self.check(two, two.replace(b"a: 3\r\n", b"a: 3\r\nA: 4\r\n"), edits.replace_header("A", "4", nth=3))

    def test_delete(self) -> None:
        two = b"A: 1\r\n\tmore\r\nB: 2\r\na: 3\r\n\r\n"
        self.check(two, b"B: 2\r\na: 3\r\n\r\n", edits.delete_header("a"))
        self.check(two, b"B: 2\r\n\r\n", edits.delete_header("a", nth=0))
        self.check(two, b"B: 2\r\n\r\n", edits.delete_header("a"), edits.delete_header("a", nth=2))
        self.check(two, two, edits.delete_header("C"), edits.delete_header("a", nth=3))

    def test_the_last_edit_of_a_field_counts(self) -> None:
        self.check(b"A: 1\r\n\r\n", b"A: 2\r\n\r\n", edits.delete_header("A", nth=0), edits.replace_header("A", "2"))
        self.check(b"A: 1\r\n\r\n", b"\r\n", edits.replace_header("A", "2"), edits.delete_header("A"))


if __name__ == "__main__":
    unittest.main()
