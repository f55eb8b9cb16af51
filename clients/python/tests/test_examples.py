"""The examples do what they say."""

import json
import pathlib
import socket
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "clients" / "python" / "examples"))

import blocklist  # noqa: E402
import deliver  # noqa: E402
import greylist  # noqa: E402
import recipients  # noqa: E402
import scanner  # noqa: E402
import subject_tag  # noqa: E402
from fake_gateway import HELLO, Peer, dial, mailbox, registered, request, running  # noqa: E402
from gatepost.testing import Session  # noqa: E402


class Examples(unittest.TestCase):
    def ask(self, peer: Peer, number: int, hook: str, *address: str) -> str:
        peer.send(request(number, hook, **mailbox(*address)))
        reply = peer.receive()
        assert reply is not None
        return str(reply.get("status", reply["verdict"]))

    def test_blocklist(self) -> None:
        service = blocklist.make_service({"spam@example.net", "@bad.example", "192.0.2.1"}, {"alice@example.com"})
        with running(service) as path:
            peer, _ = registered(path)
            self.assertEqual(self.ask(peer, 1, "mail", "Spam", "Example.NET"), "5.7.1")
            self.assertEqual(self.ask(peer, 2, "mail", "any", "bad.example"), "5.7.1")
            self.assertEqual(self.ask(peer, 3, "mail", "ham", "example.net"), "accept")
            self.assertEqual(self.ask(peer, 4, "rcpt", "alice", "example.com"), "accept")
            self.assertEqual(self.ask(peer, 5, "rcpt", "bob", "example.com"), "5.1.1")
            self.assertEqual(self.ask(peer, 6, "rcpt", "postmaster", "example.com"), "accept")
            peer.send(request(7, "connect"))
            self.assertEqual((peer.receive() or {})["verdict"], "reject")
            peer.close()

    def test_greylist_over_sockets(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            lists = greylist.Greylist(f"{folder}/g.db", 300)
            with running(greylist.make_service(lists)) as path:
                peer, _ = registered(path)
                for number in range(1, 9):
                    self.assertEqual(self.ask(peer, number, "rcpt", f"bob{number}", "example.com"), "4.7.1")
                peer.close()
            lists.database.close()
        self.assertEqual(greylist.network_of("192.0.2.77"), "192.0.2.0/24")
        self.assertEqual(greylist.network_of("2001:db8::1"), "2001:db8::/64")

    def test_recipients(self) -> None:
        service = recipients.make_service({"alice@example.com"})
        session = Session(service)
        session.mail("spam@example.net")
        self.assertEqual(session.rcpt("Alice@Example.com").code, 250)
        answers = [session.rcpt(f"guess{number}@example.com") for number in range(4)]
        self.assertEqual([answer.code for answer in answers], [550] * 4)
        self.assertEqual((answers[3].request or {})["context"]["labels"], ["guesser"])
        session.rset()
        session.mail("spam@example.net")  # the count outlives the transaction
        answer = session.rcpt("guess@example.com")
        self.assertEqual((answer.verdict, answer.code), ("disconnect", 421))

    def test_subject_tag(self) -> None:
        service = subject_tag.make_service("[EXT]")
        for before, after in (
            (b"A: 1\r\nSubject: Hello\r\n\r\nhi", b"A: 1\r\nSubject: [EXT] Hello\r\n\r\nhi"),
            (b"subject: =?utf-8?q?a?=\r\n =?utf-8?q?b?=\r\n\r\n", b"Subject: [EXT] =?utf-8?q?a?=\r\n =?utf-8?q?b?=\r\n\r\n"),
            (b"Subject: [EXT] Hello\r\n\r\n", b"Subject: [EXT] Hello\r\n\r\n"),
            (b"Subject: caf\xc3\xa9\r\n\r\n", b"Subject: [EXT] caf\xc3\xa9\r\n\r\n"),
            (b"Subject: caf\xe9\r\n\r\n", b"Subject: [EXT] caf\xef\xbf\xbd\r\n\r\n"),
            (b"Subject:\r\n\r\n", b"Subject: [EXT]\r\n\r\n"),
            (b"A: 1\r\n\r\n", b"A: 1\r\nSubject: [EXT]\r\n\r\n"),
            (b"", b"Subject: [EXT]\r\n"),
        ):
            session = Session(service)
            session.mail("a@example.net")
            session.rcpt("b@example.com")
            self.assertEqual(session.message(before).message, after)

    def test_scanner(self) -> None:
        service = scanner.make_service([b"evil"])
        across = b"x" * (scanner.PIECE - 2) + b"evil"
        for content, held in ((b"good", False), (b"is evil", True), (across, True), (b"x" * 2 * scanner.PIECE + b"ev", False)):
            session = Session(service)
            session.mail("a@example.net")
            session.rcpt("b@example.com")
            answer = session.message(content)
            self.assertEqual((answer.code, answer.quarantine), (250, held))
        self.assertEqual(answer.more_time[0], scanner.PATIENCE)

    def test_deliver(self) -> None:
        content = b"Subject: hi\r\n\r\n" + bytes(range(256)) * 300
        for body in ("inline", "fd", "path"):
            with self.subTest(body=body), tempfile.TemporaryDirectory() as name:
                folder = pathlib.Path(name) / "mail"
                session = Session(deliver.make_service(folder), body=body, delivers=True, policy="deliver")
                session.mail("alice@example.net")
                session.rcpt("bob@example.com")
                answer = session.message(content)
                request = answer.request or {}
                self.assertEqual((answer.code, answer.ref), (250, f"{request['key']}.eml"))
                self.assertEqual((folder / answer.ref).read_bytes(), content)
                envelope = json.loads((folder / f"{request['key']}.json").read_text())
                self.assertEqual(envelope["sender"]["address"], "alice@example.net")
                self.assertEqual([item["address"] for item in envelope["recipients"]], ["bob@example.com"])
                self.assertEqual((len(list(folder.iterdir())), list((folder / "tmp").iterdir())), (3, []))

    def test_deliver_stores_a_key_once(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            with running(deliver.make_service(folder)) as path:
                peer, _ = registered(path, delivers=True)
                fields = {"size": 2, "body": {"mode": "inline", "data_b64": "SGk="}}
                refs = []
                for number in (1, 2):
                    asked = request(number, "message", **fields)
                    asked.update(key="K.message.deliver", attempt=number)
                    asked["context"].update(mail=mailbox("a", "b.example"), recipients=[mailbox("c", "d.example")])
                    peer.send(asked)
                    refs.append((peer.receive() or {}).get("ref"))
                peer.close()
            self.assertEqual(refs, ["K.message.deliver.eml"] * 2)
            self.assertEqual([item.name for item in folder.glob("*.eml")], ["K.message.deliver.eml"])

    def test_deliver_where_the_mail_goes_elsewhere(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            session = Session(deliver.make_service(pathlib.Path(name)))
            session.mail("alice@example.net")
            session.rcpt("bob@example.com")
            with self.assertLogs(level="ERROR"):
                self.assertEqual(session.message(b"hi").code, 451)
            self.assertEqual(list(pathlib.Path(name).glob("*.eml")), [])

    def service_without_sdk(self, *command: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = f"{folder}/p.sock"
            process = subprocess.Popen([part.replace("SOCKET", path) for part in command])
            try:
                peer = dial(path)
                peer.send(HELLO)
                self.assertEqual((peer.receive() or {})["hooks"], {"mail": {}})
                peer.send({"type": "ready", "version": 1}, {"type": "ping"})
                self.assertEqual(peer.receive(), {"type": "pong"})
                # None of these is answered, and none does harm.
                peer.send({"type": "error", "fatal": False, "code": "bad_reply", "message": "a \"test\""}, {"type": "x_later"},
                          {"type": "cancel", "ids": [5], "why": "client_gone"})  # fmt: skip
                self.assertEqual(self.ask(peer, 5, "mail", "spam", "example.net"), "5.7.1")
                self.assertEqual(self.ask(peer, 6, "mail", "ham", "example.net"), "accept")
                peer.sock.shutdown(socket.SHUT_WR)
                peer.close()
            finally:
                process.terminate()
                process.wait(10)

    def test_python_without_sdk(self) -> None:
        self.service_without_sdk(sys.executable, str(ROOT / "clients/python/examples/without_sdk.py"), "SOCKET")

    def test_shell(self) -> None:
        self.service_without_sdk("socat", "UNIX-LISTEN:SOCKET,fork", f"EXEC:{ROOT}/clients/shell/policy.sh")


if __name__ == "__main__":
    unittest.main()
