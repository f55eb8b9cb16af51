#!/usr/bin/env python3
"""How to test a policy: the greylister, without a gateway. Runs with pytest, or as it is."""

import unittest
from typing import List

import greylist
from gatepost.testing import Answer, Session


class Greylisting(unittest.TestCase):
    def setUp(self) -> None:
        self.now: List[float] = [1000.0]
        self.lists = greylist.Greylist(":memory:", 300, lambda: self.now[0])
        self.addCleanup(self.lists.database.close)
        self.service = greylist.make_service(self.lists)

    def deliver(self, client: str = "203.0.113.10", sender: str = "alice@example.net") -> Answer:
        """A new connection each time, as a mail server that tries again makes it."""
        session = Session(self.service, client_ip=client)
        session.mail(sender)
        return session.rcpt("bob@example.org")

    def test_first_attempt_must_wait(self) -> None:
        answer = self.deliver()
        self.assertEqual((answer.code, answer.status), (451, "4.7.1"))
        self.assertEqual(answer.text, ("Greylisted, try again in 300 seconds",))

    def test_attempt_after_the_delay_passes(self) -> None:
        self.deliver()
        self.now[0] += 299
        self.assertEqual(self.deliver().code, 451)
        self.now[0] += 1
        self.assertEqual(self.deliver().code, 250)

    def test_neighbour_counts_as_the_same_client(self) -> None:
        self.deliver()
        self.now[0] += 300
        self.assertTrue(self.deliver("203.0.113.77").accepted)
        self.assertFalse(self.deliver("203.0.114.10").accepted)

    def test_null_sender_is_a_sender(self) -> None:
        self.assertFalse(self.deliver(sender="").accepted)
        self.now[0] += 300
        self.assertTrue(self.deliver(sender="").accepted)

    def test_forgotten_after_a_long_time(self) -> None:
        self.deliver()
        self.now[0] += greylist.FORGET_AFTER + 1
        self.assertFalse(self.deliver().accepted)


if __name__ == "__main__":
    unittest.main()
