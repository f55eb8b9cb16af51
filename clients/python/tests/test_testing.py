"""gatepost.testing plays what the protocol says: its requests fit the schema, it takes and refuses replies as the examples do."""

import asyncio
import json
import os
import pathlib
import re
import unittest
from typing import Any, Dict, List, Optional

import jsonschema

import gatepost
from gatepost import edits, wire
from gatepost.testing import Answer, AsyncSession, Refused, Session, _answer

PROTOCOL = pathlib.Path(__file__).resolve().parents[3] / "protocol"
MESSAGE = b"Subject: hi\r\n\r\nhi\r\n"


class RawVerdict(gatepost.Verdict):
    """Answers with any reply at all."""

    def __init__(self, reply: Dict[str, Any]) -> None:
        super().__init__("accept")
        object.__setattr__(self, "reply", reply)

    def message(self, request_id: int) -> Dict[str, Any]:
        return dict(self.reply)  # type: ignore[attr-defined]


def service_of(**functions: Any) -> gatepost.Service:
    options = functions.pop("options", {})
    service = gatepost.Service("t", **options)
    for hook, function in functions.items():
        getattr(service, hook)(function)
    return service


def always(verdict: gatepost.Verdict) -> Any:
    return lambda request: verdict


def accept(request: gatepost.Request) -> gatepost.Verdict:
    return gatepost.accept()


class Schema(unittest.TestCase):
    def setUp(self) -> None:
        self.schemas = {
            name: jsonschema.Draft202012Validator(json.loads((PROTOCOL / "schema" / f"{name}.json").read_text()))
            for name in ("request", "ready")
        }
        self.requests: List[Dict[str, Any]] = []

    def seen(self, request: gatepost.Request) -> gatepost.Verdict:
        self.requests.append(dict(request.message))
        return gatepost.accept(keep_session={"seen": len(self.requests)}, labels=["seen"])

    def tell(self, request: gatepost.Request) -> None:
        self.requests.append(dict(request.message))

    def service(self, *body: str) -> gatepost.Service:
        hooks = {hook: self.seen for hook in wire.HOOKS if hook != "disconnect"}
        return service_of(disconnect=self.tell, options={"body": body}, **hooks)

    def validate(self, session: Session) -> None:
        self.schemas["ready"].validate(session.ready)
        for request in self.requests:
            self.schemas["request"].validate(request)
        keys = [request["key"] for request in self.requests if "key" in request]
        self.assertEqual(len(keys), len(set(keys)))

    def test_every_hook(self) -> None:
        session = Session(self.service("none"), client_name="mail.example.net", labels=["before"])
        session.connect()
        session.ehlo(b"m\xe4il")
        session.starttls()
        session.secure()
        session.ehlo("mail.example.net")
        session.auth(b"al\xffice", "secret", authzid="bob")
        for _ in range(2):
            session.mail('"al ice"@example.net', params=[("SIZE", "100"), ("X", None), (b"Y\xff", "z")])
            session.rcpt("postmaster")
            session.rcpt(b"b\0b@example.org")
            session.data()
            session.message(MESSAGE)
        session.disconnect()
        asked = [request["hook"] for request in self.requests]
        transaction = ["mail", "rcpt", "rcpt", "data", "message"]
        self.assertEqual(asked, ["connect", "ehlo", "starttls", "secure", "ehlo", "auth", *transaction, *transaction, "disconnect"])
        self.validate(session)
        by_hook = {request["hook"]: request for request in self.requests}
        self.assertEqual(by_hook["mail"]["args"]["local"], "al ice")
        self.assertEqual(by_hook["mail"]["args"]["params_b64"][2], ["Wf8=", "eg=="])
        self.assertEqual(by_hook["rcpt"]["args"]["index"], 2)
        self.assertEqual(by_hook["rcpt"]["args"]["address_b64"], "YgBiQGV4YW1wbGUub3Jn")
        self.assertEqual(by_hook["data"]["context"]["auth"], {"mechanism": "PLAIN", "user": "al\ufffdice", "user_b64": "YWz/aWNl"})
        self.assertEqual(len(by_hook["message"]["context"]["recipients"]), 2)
        self.assertEqual(by_hook["message"]["context"]["labels"], ["before", "seen"])
        self.assertEqual(by_hook["disconnect"]["keep"], {"session": {"seen": 16}})
        self.assertNotIn("keep", self.requests[0])

    def test_tls_from_the_first_octet(self) -> None:
        peer = {"verified": True, "subject": "CN=client", "issuer": "CN=ca", "fingerprint": "00"}
        session = Session(self.service("none"), client_ip=None, tls=True, peer=peer, proxy={"authority": "mx"})
        session.auth("alice", token="t")
        self.assertEqual([request["hook"] for request in self.requests], ["secure", "connect", "ehlo", "auth"])
        self.assertEqual(self.requests[0]["context"]["tls"]["peer"], peer)
        self.validate(session)

    def test_every_body_mode(self) -> None:
        contents: Dict[str, Optional[bytes]] = {}

        def message(request: gatepost.Request) -> gatepost.Verdict:
            self.seen(request)
            contents[request.body.mode] = request.content()
            return gatepost.accept()

        service = service_of(message=message, options={"body": ["inline", "path", "fd", "headers", "none"]})
        for mode in ("inline", "path", "fd", "headers", "none"):
            session = Session(service, body=mode)
            session.mail("")
            session.rcpt("bob@example.org")
            answer = session.message(MESSAGE)
            self.assertEqual((answer.code, answer.message, answer.sender), (250, MESSAGE, ""))
            self.validate(session)
            self.requests.clear()
        self.assertEqual(contents, {"inline": MESSAGE, "path": MESSAGE, "fd": MESSAGE, "headers": b"Subject: hi\r\n\r\n", "none": None})

    def test_the_first_mode_that_fits_is_used(self) -> None:
        session = Session(service_of(message=self.seen, options={"body": ["inline", "fd"]}))
        for size, mode in ((65536, "inline"), (65537, "fd")):
            session.mail("a@x")
            session.rcpt("b@x")
            session.message(b"x" * size)
            self.assertEqual(self.requests[-1]["args"], {"size": size, "body": {**self.requests[-1]["args"]["body"], "mode": mode}})

    def test_no_descriptor_is_left(self) -> None:
        def run() -> int:
            session = Session(service_of(message=self.seen, options={"body": ["fd"]}))
            session.mail("a@x")
            session.rcpt("b@x")
            session.message(MESSAGE)
            return len(os.listdir("/proc/self/fd"))

        self.assertEqual(run(), run())

    def test_default_replies_are_those_of_the_gateway(self) -> None:
        rows = re.findall(r'^HOOK\(\w+, "(\w+)", (\d+), "([\d.]+)", (\d+), "([\d.]+)"', (PROTOCOL / "hooks.def").read_text(), re.M)
        table = {row[0]: {"reject": (int(row[1]), row[2]), "tempfail": (int(row[3]), row[4])} for row in rows}
        del table["disconnect"]
        self.assertEqual(_answer.REFUSALS, table)


class Replies(unittest.TestCase):
    def answer(self, path: pathlib.Path) -> Answer:
        reply = wire.decode(path.read_bytes())
        assert reply is not None
        session = Session(service_of(message=always(RawVerdict(reply))), grants=["bypass"])
        session.mail("alice@example.net")
        for recipient in ("bob", "carol", "dave", "eve"):
            session.rcpt(f"{recipient}@example.org")
        return session.message(MESSAGE)

    def test_valid_examples_are_taken(self) -> None:
        files = sorted((PROTOCOL / "examples" / "valid").glob("reply-*"))
        self.assertGreater(len(files), 15)
        for file in files:
            with self.subTest(file=file.name):
                self.assertTrue(self.answer(file).asked)

    def test_invalid_examples_are_refused(self) -> None:
        files = sorted((PROTOCOL / "examples" / "invalid").glob("reply-*"))
        self.assertGreater(len(files), 60)
        for file in files:
            with self.subTest(file=file.name), self.assertRaises(ValueError):
                self.answer(file)

    def test_what_does_not_fit_the_hook_is_refused(self) -> None:
        once = gatepost.accept(until="transaction")
        add, sender, drop = edits.add_header("X", "y"), edits.set_sender(""), edits.drop_recipient(1)
        wrong = {
            "connect": [gatepost.discard(), once, gatepost.accept(keep_transaction={"a": 1}), gatepost.accept(edits=[sender])],
            "ehlo": [gatepost.discard(), gatepost.tempfail(until="transaction"), gatepost.bypass()],
            "auth": [gatepost.discard(), gatepost.quarantine(), gatepost.bypass(), once],
            "mail": [gatepost.bypass(), gatepost.accept(edits=[add]), gatepost.accept(edits=[drop])],
            "rcpt": [gatepost.accept(edits=[sender]), gatepost.accept(edits=[drop]), gatepost.accept(edits=[edits.add_recipient("a@x")])],
            "data": [gatepost.accept(edits=[sender]), gatepost.accept(edits=[add]), gatepost.accept(edits=[drop])],
            "message": [gatepost.bypass(), gatepost.accept(edits=[edits.drop_recipient(2)]), gatepost.accept(edits=[drop])],
        }
        for hook, verdicts in wrong.items():
            for verdict in verdicts:
                with self.subTest(hook=hook, verdict=verdict), self.assertRaises(ValueError):
                    session = Session(service_of(**{hook: always(verdict)}), tls=True)
                    self.walk(session, hook)

    def walk(self, session: Session, hook: str) -> Answer:
        if hook in ("connect", "ehlo"):
            return session.connect() if hook == "connect" else session.ehlo()
        if hook == "auth":
            return session.auth("alice", "secret")
        answer = session.mail("a@x")
        if hook != "mail":
            answer = session.rcpt("b@x")
        if hook in ("data", "message"):
            answer = session.data() if hook == "data" else session.message(MESSAGE)
        return answer

    def test_codes(self) -> None:
        for hook, verdict, expected in (
            ("connect", gatepost.accept(code=250), (220, "")),
            ("connect", gatepost.tempfail(code=451), (421, "")),
            ("connect", gatepost.reject(), (554, "5.7.1")),
            ("ehlo", gatepost.reject(code=501), (501, "5.7.1")),
            ("auth", gatepost.reject(), (535, "5.7.8")),
            ("auth", gatepost.accept(), (235, "")),
            ("mail", gatepost.accept("ok", 251, "2.1.0"), (251, "2.1.0")),
            ("mail", gatepost.disconnect(), (421, "4.7.0")),
            ("mail", gatepost.disconnect(status="5.7.0"), (554, "5.7.0")),
            ("mail", gatepost.disconnect(code=550), (550, "5.7.1")),
            ("rcpt", gatepost.discard(), (250, "")),
            ("data", gatepost.accept(), (354, "")),
            ("rcpt", gatepost.Verdict("discard", ("gone",), 251), (251, "")),
            ("message", gatepost.quarantine(), (250, "")),
        ):
            with self.subTest(hook=hook, verdict=verdict):
                answer = self.walk(Session(service_of(**{hook: always(verdict)}), tls=True), hook)
                self.assertEqual((answer.hook, answer.code, answer.status), (hook, *expected))


class Sessions(unittest.TestCase):
    def test_keep_comes_back_and_ends_with_its_scope(self) -> None:
        seen: List[Any] = []

        def mail(request: gatepost.Request) -> gatepost.Verdict:
            seen.append((request.keep_session, request.keep_transaction))
            count = request.keep_session.get("count", 0) + 1
            return gatepost.accept(keep_session={"count": count}, keep_transaction={"open": True})

        def rcpt(request: gatepost.Request) -> gatepost.Verdict:
            seen.append((request.keep_session, request.keep_transaction))
            return gatepost.tempfail(keep_transaction={}) if request.keep_transaction else gatepost.accept(keep_session={})

        session = Session(service_of(mail=mail, rcpt=rcpt))
        session.mail("a@x")
        self.assertEqual([session.rcpt("b@x").code, session.rcpt("b@x").code], [451, 250])
        session.rset()
        session.mail("a@x")
        session.rset()
        session.mail("a@x")
        self.assertEqual(seen, [({}, {}), ({"count": 1}, {"open": True}), ({"count": 1}, {}), ({}, {}), ({"count": 1}, {})])

    def test_until(self) -> None:
        asked: List[str] = []

        def on(verdict: gatepost.Verdict) -> Any:
            def function(request: gatepost.Request) -> gatepost.Verdict:
                asked.append(request.hook)
                return verdict

            return function

        stands = gatepost.accept("welcome", until="session")
        session = Session(service_of(ehlo=on(stands), mail=on(gatepost.reject()), auth=on(gatepost.reject())), tls=True)
        self.assertEqual((session.ehlo().asked, session.mail("a@x").asked), (True, False))
        session.rset()
        self.assertEqual(session.auth("a", "b").verdict, "reject")
        self.assertEqual(asked, ["ehlo", "auth"])

        session = Session(service_of(ehlo=on(stands), mail=on(gatepost.reject())))
        session.ehlo()
        session.starttls()  # what was said in clear counts no more
        self.assertTrue(session.ehlo().asked)
        session = Session(service_of(connect=on(stands), mail=on(gatepost.reject())))
        session.starttls()
        self.assertEqual(session.mail("a@x").code, 250)

        busy = gatepost.tempfail("busy", 452, "4.2.2", until="transaction")
        session = Session(service_of(rcpt=on(busy), mail=on(gatepost.accept())))
        session.mail("a@x")
        first, second = session.rcpt("b@x"), session.rcpt("c@x")
        self.assertEqual((first.asked, second.asked, second.code, second.text), (True, False, 452, ("busy",)))
        session.rset()
        session.mail("a@x")
        self.assertTrue(session.rcpt("b@x").asked)
        session = Session(service_of(auth=on(gatepost.reject("no", 535, "5.7.8", until="session"))), tls=True)
        session.auth("a", "b")
        answer = session.mail("a@x")  # 535 is for AUTH only
        self.assertEqual((answer.asked, answer.code, answer.status, answer.text), (False, 550, "5.7.8", ("no",)))

    def test_discard(self) -> None:
        session = Session(service_of(rcpt=lambda request: gatepost.discard() if request.args["local"] == "spam" else gatepost.accept(), message=accept))
        session.mail("a@x")
        self.assertEqual((session.rcpt("spam@x").code, session.rcpt("b@x").code), (250, 250))
        answer = session.message(MESSAGE)
        self.assertEqual((answer.recipients, answer.asked), (("b@x",), True))
        session.mail("a@x")
        session.rcpt("spam@x")
        answer = session.message(MESSAGE)
        self.assertEqual((answer.code, answer.message, answer.asked), (250, None, False))
        session = Session(service_of(mail=always(gatepost.discard()), rcpt=always(gatepost.reject())))
        session.mail("a@x")
        self.assertEqual((session.rcpt("b@x").asked, session.message(MESSAGE).message), (False, None))

    def test_quarantine(self) -> None:
        for hook, expected in (("connect", [True, True]), ("mail", [True, True]), ("message", [True, True])):
            session = Session(service_of(**{hook: always(gatepost.quarantine())}))
            self.assertEqual([self.deliver(session).quarantine for _ in range(2)], expected)
        first = iter([gatepost.quarantine(), gatepost.accept()])
        session = Session(service_of(rcpt=lambda request: next(first)))
        self.assertEqual([self.deliver(session).quarantine for _ in range(2)], [True, False])

    def deliver(self, session: Session) -> Answer:
        session.mail("a@x")
        session.rcpt("b@x")
        return session.message(MESSAGE)

    def test_edits(self) -> None:
        changes = [
            edits.replace_header("SUBJECT", "[EXT] hi"),
            edits.add_header("X-A", "1"),
            edits.set_sender(""),
            edits.drop_recipient(1),
            edits.add_recipient("archive@x"),
        ]
        session = Session(service_of(message=always(gatepost.accept(edits=changes))))
        answer = self.deliver(session)
        self.assertEqual(answer.message, b"X-A: 1\r\nSUBJECT: [EXT] hi\r\n\r\nhi\r\n")
        self.assertEqual((answer.sender, answer.recipients), ("", ("archive@x",)))
        senders = []

        def rcpt(request: gatepost.Request) -> gatepost.Verdict:
            senders.append(request.sender)
            return gatepost.accept()

        session = Session(service_of(mail=always(gatepost.accept(edits=[edits.set_sender("c@y")])), rcpt=rcpt))
        self.assertEqual((self.deliver(session).sender, senders), ("c@y", ["c@y"]))

    def test_implied_steps(self) -> None:
        session = Session(service_of(connect=always(gatepost.reject("Blocked"))))
        with self.assertRaises(Refused) as raised:
            session.mail("a@x")
        self.assertEqual(raised.exception.answer.code, 554)
        with self.assertRaises(RuntimeError):
            session.mail("a@x")
        session = Session(service_of(data=always(gatepost.tempfail())))
        with self.assertRaises(Refused):
            self.deliver(session)

    def test_impossible_steps(self) -> None:
        for steps in (["rcpt"], ["message"], ["mail", "mail"], ["mail", "message"], ["connect", "connect"], ["secure"], ["auth"]):
            session = Session(service_of(mail=accept))
            arguments = {"connect": [], "secure": [], "message": [MESSAGE]}
            with self.subTest(steps=steps), self.assertRaises(RuntimeError):
                for step in steps:
                    getattr(session, step)(*arguments.get(step, ["a@x"]))

    def test_login_without_a_function_for_it_fails(self) -> None:
        answer = Session(service_of(mail=accept), tls=True).auth("alice", "secret")
        self.assertEqual((answer.code, answer.asked), (454, False))

    def test_a_bug_in_the_policy_is_raised(self) -> None:
        for verdict in (None, "accept"):
            with self.assertRaises(TypeError):
                Session(service_of(mail=lambda request, verdict=verdict: verdict)).mail("a@x")
        with self.assertRaises(ZeroDivisionError):
            Session(service_of(mail=lambda request: 1 / 0)).mail("a@x")

    def test_more_time(self) -> None:
        def mail(request: gatepost.Request) -> gatepost.Verdict:
            return gatepost.accept() if request.more_time(5) and request.more_time(0.5) else gatepost.tempfail()

        self.assertEqual(Session(service_of(mail=mail)).mail("a@x").more_time, (5.0, 0.5))
        self.assertEqual(Session(service_of(mail=mail), extend_ms=0).mail("a@x").verdict, "tempfail")

    def test_async(self) -> None:
        lock = asyncio.Lock()

        async def mail(request: gatepost.Request) -> gatepost.Verdict:
            async with lock:
                await asyncio.sleep(0)
            return gatepost.reject()

        async def play() -> int:
            answer = await AsyncSession(service_of(mail=mail)).mail("a@x")
            return answer.code or 0

        self.assertEqual(asyncio.run(play()), 550)
        self.assertEqual(Session(service_of(mail=mail)).mail("a@x").code, 550)


if __name__ == "__main__":
    unittest.main()
