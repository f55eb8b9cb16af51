"""The policy side over real sockets."""

import asyncio
import json
import logging
import os
import pathlib
import tempfile
import threading
import unittest
from typing import Any, Dict, List

import gatepost
from fake_gateway import HELLO, dial, mailbox, registered, request, running


class Service(unittest.TestCase):
    def setUp(self) -> None:
        logging.disable(logging.CRITICAL)
        self.addCleanup(logging.disable, logging.NOTSET)

    def test_verdicts(self) -> None:
        service = gatepost.Service("s", window=7, body=["inline", "path"])
        answers = {
            "a": gatepost.accept(),
            "r": gatepost.reject("No", 550, "5.7.1", reason="listed"),
            "t": gatepost.tempfail(["Wait", "a bit"]),
            "d": gatepost.disconnect(),
        }

        @service.mail(need=["client"], want=["tls"])
        def mail(request: gatepost.Request) -> gatepost.Verdict:
            return answers[request.args["local"]]

        with running(service) as path:
            peer, register = registered(path)
            self.assertEqual(register["hooks"], {"mail": {"need": ["client"], "want": ["tls"]}})
            self.assertEqual((register["window"], register["body"], register["service"]), (7, ["inline", "path"], "s"))
            peer.send(*[request(n, "mail", **mailbox(local, "x")) for n, local in enumerate(answers)])
            replies = {reply["id"]: reply for reply in (peer.receive() for _ in answers) if reply}
            self.assertEqual(replies[0], {"type": "reply", "id": 0, "verdict": "accept"})
            self.assertEqual(
                replies[1],
                {"type": "reply", "id": 1, "verdict": "reject", "code": 550, "status": "5.7.1", "text": "No", "reason": "listed"},
            )
            self.assertEqual(replies[2], {"type": "reply", "id": 2, "verdict": "tempfail", "text": ["Wait", "a bit"]})
            self.assertEqual(replies[3]["verdict"], "disconnect")
            peer.close()

    def test_attempt(self) -> None:
        service = gatepost.Service("s")
        attempts = []

        @service.mail
        def mail(request: gatepost.Request) -> gatepost.Verdict:
            attempts.append((request.key, request.attempt))
            return gatepost.accept()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(request(1, "mail", **mailbox("a", "x")), dict(request(2, "mail", **mailbox("a", "x")), attempt=2))
            self.assertEqual([(peer.receive() or {})["verdict"] for _ in range(2)], ["accept"] * 2)
            self.assertEqual(attempts, [("S.mail", 1), ("S.mail", 2)])
            peer.close()

    def test_ping(self) -> None:
        service = gatepost.Service("s")
        service.mail(lambda request: gatepost.accept())
        with running(service) as path:
            peer, _ = registered(path)
            peer.send({"type": "ping"}, {"type": "pong"}, {"type": "ping"})
            self.assertEqual([peer.receive() for _ in range(2)], [{"type": "pong"}] * 2)
            peer.close()

    def test_drain(self) -> None:
        service = gatepost.Service("s")
        asked, go = threading.Event(), threading.Event()

        @service.mail
        async def mail(request: gatepost.Request) -> gatepost.Verdict:
            asked.set()
            while not go.is_set():
                await asyncio.sleep(0.01)
            return gatepost.accept()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(request(1, "mail", **mailbox("a", "x")))
            self.assertTrue(asked.wait(5))
            service.stop()
            self.assertEqual([peer.receive() for _ in range(2)], [{"type": "drain"}, {"type": "ping"}])
            self.assertFalse(os.path.exists(path))
            peer.send(request(2, "mail", **mailbox("a", "x")), {"type": "pong"})  # it was on its way
            go.set()
            self.assertEqual({(peer.receive() or {})["id"] for _ in range(2)}, {1, 2})
            self.assertIsNone(peer.receive())
            peer.close()

    def test_auth(self) -> None:
        service = gatepost.Service("accounts")

        @service.auth
        def auth(request: gatepost.Request) -> gatepost.Verdict:
            known = (request.args["user"], request.raw("password")) == ("alice", b"p\xe4ss")
            return gatepost.accept() if known else gatepost.reject()

        with running(service) as path:
            peer, register = registered(path)
            self.assertEqual(register["hooks"], {"auth": {}})
            credentials = {"mechanism": "PLAIN", "user": "alice", "password": "p\ufffdss", "password_b64": "cORzcw=="}
            peer.send(request(1, "auth", **credentials), request(2, "auth", mechanism="LOGIN", user="alice", password="x"))
            replies = {reply["id"]: reply["verdict"] for reply in (peer.receive() for _ in range(2)) if reply}
            self.assertEqual(replies, {1: "accept", 2: "reject"})
            # A request that is no login is no login.
            peer.send(request(3, "auth", mechanism="PLAIN", user="alice"))
            reply = peer.receive()
            self.assertTrue(reply is None or reply["verdict"] == "tempfail", reply)
            peer.close()

    def test_faults_are_tempfail(self) -> None:
        service = gatepost.Service("s")

        @service.mail
        def mail(request: gatepost.Request) -> gatepost.Verdict:
            raise RuntimeError("a bug in the policy")

        @service.data
        def data(request: gatepost.Request) -> gatepost.Verdict:
            return None  # type: ignore[return-value]

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(request(1, "mail", **mailbox("a", "x")), request(2, "data", recipients=1), request(3, "ehlo", verb="EHLO", name="x"))
            for reply in [peer.receive() for _ in range(3)]:
                assert reply is not None
                self.assertEqual((reply["verdict"], reply["code"], reply["status"]), ("tempfail", 451, "4.3.0"))
            peer.close()

    def test_async_out_of_order_and_cancel(self) -> None:
        service = gatepost.Service("s")
        waiting, cancelled = threading.Event(), threading.Event()

        @service.mail
        async def mail(request: gatepost.Request) -> gatepost.Verdict:
            if request.args["local"] == "slow":
                waiting.set()
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    cancelled.set()
                    raise
            return gatepost.accept()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(request(1, "mail", **mailbox("slow", "x")), request(2, "mail", **mailbox("fast", "x")))
            self.assertEqual((peer.receive() or {})["id"], 2)
            self.assertTrue(waiting.wait(5))
            peer.send({"type": "cancel", "ids": [1], "why": "client_gone"})
            reply = peer.receive()  # still owed
            self.assertEqual((reply or {})["id"], 1)
            self.assertTrue(cancelled.is_set())
            peer.close()

    def test_disconnect_is_not_answered(self) -> None:
        service = gatepost.Service("s")
        told = threading.Event()

        @service.disconnect
        def disconnect(request: gatepost.Request) -> None:
            if request.args["reason"] == "quit":
                told.set()

        with running(service) as path:
            peer, _ = registered(path)
            peer.send(request(None, "disconnect", reason="quit", commands=1, messages=0, errors=0))
            self.assertTrue(told.wait(5))
            peer.send_raw(b"garbage\n")
            self.assertIsNone(peer.receive())  # nothing was sent for it, and garbage ends the connection
            peer.close()

    def test_requests_that_break_the_protocol_are_never_accepted(self) -> None:
        service = gatepost.Service("s", body=["fd"])
        for hook in ("connect", "mail", "rcpt", "auth", "message"):
            getattr(service, hook)(lambda request: gatepost.accept())
        service.disconnect(lambda request: None)
        examples = pathlib.Path(__file__).resolve().parents[3] / "protocol" / "examples" / "invalid"
        lines = [path.read_bytes() for path in sorted(examples.glob("request-*"))]
        self.assertGreater(len(lines), 15)
        spoilt: List[Dict[str, Any]] = [
            {"hook": None}, {"hook": 7}, {"args": None}, {"args": []}, {"context": []},
            {"args": {"size": 1, "body": "fd"}}, {"args": {"size": 1, "body": {"mode": "fd"}}},
        ]  # fmt: skip
        for more in spoilt:
            lines.append(json.dumps({**request(6, "message", size=1, body={"mode": "none"}), **more}).encode() + b"\n")
        logging.disable(logging.NOTSET)
        with running(service) as path, self.assertLogs("gatepost") as logs:
            for line in lines:
                with self.subTest(line=line):
                    peer, _ = registered(path)
                    peer.send_raw(line)
                    if "id" not in json.loads(line):
                        peer.send({"type": "ping"})
                    reply = peer.receive()  # None: the connection was closed
                    self.assertTrue(reply is None or reply.get("verdict", reply["type"]) in ("tempfail", "pong"), reply)
                    peer.close()
        self.assertNotIn("internal error", "\n".join(logs.output))

    def test_several_connections(self) -> None:
        service = gatepost.Service("s")
        service.mail(lambda request: gatepost.accept())
        with running(service) as path:
            peers = [registered(path)[0] for _ in range(5)]
            for peer in peers:
                peer.send(request(9, "mail", **mailbox("a", "x")))
            self.assertEqual([(peer.receive() or {})["id"] for peer in peers], [9] * 5)
            for peer in peers:
                peer.close()

    def test_wrong_gateway_is_refused(self) -> None:
        service = gatepost.Service("s")
        service.mail(lambda request: gatepost.accept())
        for bad in (dict(HELLO, versions=[2]), dict(HELLO, protocol="gatepost-events"), {"type": "ready"}):
            with self.subTest(bad=bad), running(service) as path:
                peer = dial(path)
                peer.send(bad)
                self.assertIsNone(peer.receive())
                peer.close()

    def test_content_by_path(self) -> None:
        service = gatepost.Service("s", body=["path"])
        seen = []

        @service.message
        def message(request: gatepost.Request) -> gatepost.Verdict:
            seen.append(request.body.read())
            return gatepost.accept()

        with tempfile.TemporaryDirectory() as spool, running(service) as path:
            content = bytes(range(256)) * 100
            with open(os.path.join(spool, "m.eml"), "wb") as file:
                file.write(content)
            peer, _ = registered(path, spool)
            body = {"mode": "path", "path": "m.eml"}
            peer.send(request(1, "message", size=len(content), body=body))
            self.assertEqual((peer.receive() or {})["verdict"], "accept")
            self.assertEqual(seen, [content])
            peer.send(request(2, "message", size=3, body={"mode": "path", "path": "../etc/passwd"}))
            self.assertEqual((peer.receive() or {})["verdict"], "tempfail")  # ContentError is no acceptance
            peer.close()


if __name__ == "__main__":
    unittest.main()
