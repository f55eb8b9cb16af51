"""A policy that delivers, in the test double: nothing but an accept with a ref brings a 250."""

import unittest

import gatepost
from gatepost.testing import Answer, Session


class Delivers(unittest.TestCase):
    def test_delivers(self) -> None:
        service = gatepost.Service("app")
        says = [gatepost.accept()]

        @service.rcpt
        async def rcpt(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept(until="session")

        @service.message
        async def message(request: gatepost.Request) -> gatepost.Verdict:
            self.assertTrue(request.ready.delivers)
            return says[0]

        def send() -> Answer:
            session = Session(service, delivers=True)
            session.mail("a@example.net")
            session.rcpt("b@example.com")
            return session.message("hi")

        with self.assertRaisesRegex(ValueError, "this policy delivers: its accept needs ref"):
            send()
        says[0] = gatepost.accept("Taken", ref="box/7")
        answer = send()  # what rcpt said stands for no message
        self.assertEqual((answer.code, answer.ref, answer.asked, answer.text), (250, "box/7", True, ("Taken",)))
        says[0] = gatepost.quarantine(ref="held/7")
        self.assertEqual((send().ref, send().quarantine), ("held/7", True))
        says[0] = gatepost.reject()
        self.assertEqual((send().code, send().ref), (554, ""))
        says[0] = gatepost.discard()
        self.assertEqual((send().code, send().ref), (250, ""))

    def test_delivers_and_holds(self) -> None:
        service = gatepost.Service("app")

        @service.data
        async def data(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.quarantine()

        @service.message
        async def message(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept(ref="held" if request.args.get("quarantine") else "inbox")

        session = Session(service, delivers=True)
        session.mail("a@example.net")
        session.rcpt("b@example.com")
        answer = session.message("hi")
        self.assertEqual((answer.ref, answer.quarantine), ("held", True))

    def test_delivers_needs_the_message_hook(self) -> None:
        service = gatepost.Service("app")

        @service.rcpt
        async def rcpt(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept()

        session = Session(service, delivers=True)
        session.mail("a@example.net")
        session.rcpt("b@example.com")
        answer = session.message("hi")
        self.assertEqual((answer.code, answer.status, answer.message), (451, "4.3.0", None))

    def test_ref_without_delivery_means_nothing(self) -> None:
        service = gatepost.Service("app")

        @service.message
        async def message(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept(ref="box/7")

        @service.rcpt
        async def rcpt(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept(ref="early" if request.mailbox == "x@example.com" else None)

        session = Session(service)
        session.mail("a@example.net")
        with self.assertRaisesRegex(ValueError, "ref is not possible at rcpt"):
            session.rcpt("x@example.com")
        session.rcpt("b@example.com")
        self.assertEqual(session.message("hi").ref, "")


if __name__ == "__main__":
    unittest.main()
