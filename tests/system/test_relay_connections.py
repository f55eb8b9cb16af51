"""Relays: TLS levels, connections that are used again, several backends, load. The servers are real."""

import contextlib
import pathlib
import re
import tempfile
from typing import Any, Callable, Iterator, List, Optional

from certificates import NAME, Authority, Pair
from fault_backend import Backend
from gateway import Gateway, unittest, wait_until
from peers import PostfixBackend, Sink
from programs import must_run
from relay_client import content, delivery, digests, mail, no_spool, octets, send

CLEAR = "tls: none"
LEVELS = ("none", "opportunistic", "verified")


@contextlib.contextmanager
def authority() -> Iterator[Authority]:
    with tempfile.TemporaryDirectory(prefix="authority.", dir="/var/tmp") as folder:
        yield Authority(pathlib.Path(folder))


def levels(level: str, ca: Authority) -> List[str]:
    return [f"tls: {level}", *([f"tls_name: {NAME}", f"tls_ca: {ca.file}"] if level == "verified" else [])]


class Tls(unittest.TestCase):
    def one(self, ca: Authority, pair: Optional[Pair]) -> List[str]:
        """What comes of each level with this certificate: clear, tls or the refusal."""
        found = []
        for level in LEVELS:
            # A server for each, so that what it logs is of this level.
            with PostfixBackend(pair=pair) as postfix, Gateway(delivery=delivery("smtp", [postfix.address], *levels(level, ca))) as gateway:
                with gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                    reply = client.say("RCPT TO:<b@example.com>")
                    client.say("RSET")
                    if reply.startswith("250"):
                        self.assertRegex(mail(client, octets(1)), "^250 ")
                        stored = wait_until(postfix.mails, "the mail")[0]
                        self.assertEqual(digests([content(stored)]), digests([octets(1)]))
                        ours = re.search(rb"Received: from mx\.example\.com .*?\n(?=\S)", stored, re.S)
                        assert ours
                        found.append("tls" if b" with ESMTPS id" in ours.group() else "clear")
                    else:
                        found.append(reply[:9])
                        self.assertNotRegex(postfix.log(), r"from=<a@example\.org>")
        return found

    def test_right(self) -> None:
        with authority() as ca:
            self.assertEqual(self.one(ca, ca.right()), ["clear", "tls", "tls"])

    def test_wrong_name(self) -> None:
        with authority() as ca:
            self.assertEqual(self.one(ca, ca.wrong_name()), ["clear", "tls", "451 4.4.1"])

    def test_expired(self) -> None:
        with authority() as ca:
            self.assertEqual(self.one(ca, ca.expired()), ["clear", "tls", "451 4.4.1"])

    def test_signed_by_itself(self) -> None:
        with authority() as ca:
            self.assertEqual(self.one(ca, ca.of_nobody()), ["clear", "tls", "451 4.4.1"])

    def test_not_offered(self) -> None:
        with authority() as ca:
            self.assertEqual(self.one(ca, None), ["clear", "clear", "451 4.4.1"])

    def test_second_backend_is_the_right_one(self) -> None:
        """With verified a backend with a wrong certificate is down: the other one has the mail."""
        with authority() as ca, Backend(ca.wrong_name()) as wrong, Backend(ca.right()) as right:
            with Gateway(delivery=delivery("smtp", [wrong.address, right.address], *levels("verified", ca))) as gateway:
                self.assertRegex(send(gateway, b"X-Test-Start: 1\r\n\r\nhi\r\n"), "^250 ")
                self.assertEqual((len(wrong.taken), len(right.taken)), (0, 1))
                self.assertNotIn("MAIL", " ".join(wrong.commands))


class Connections(unittest.TestCase):
    def mails_of_each(self, *lines: str, count: int = 10) -> List[int]:
        """How many messages each of Postfix's connections brought it, of those that brought any."""
        with PostfixBackend() as postfix:
            with Gateway(delivery=delivery("smtp", [postfix.address], CLEAR, *lines)) as gateway:
                for number in range(count):
                    self.assertRegex(send(gateway, octets(number)), "^250 ")
            def found() -> List[int]:
                return [int(number) for number in re.findall(r"disconnect from .* mail=(\d+) ", postfix.log())]
            wait_until(lambda: sum(found()) >= count, "the end of the connections")
            return sorted(found())

    def test_reuse(self) -> None:
        self.assertEqual(self.mails_of_each("reuse: 100"), [10])

    def test_reuse_ends(self) -> None:
        found = self.mails_of_each("reuse: 3")
        self.assertEqual((sum(found), len(found), max(found)), (10, 4, 3), found)

    def test_idle(self) -> None:
        """A connection that nobody needs is given up, with QUIT."""
        with PostfixBackend() as postfix, Gateway(delivery=delivery("smtp", [postfix.address], CLEAR, "idle: 1s")) as gateway:
            self.assertRegex(send(gateway, octets(1)), "^250 ")
            wait_until(lambda: re.search(r"disconnect from .* mail=1 .*quit=1", postfix.log()), "the end of the connection")

    def test_limit(self) -> None:
        """Twenty clients share two connections: all are served, and never are there more."""
        with Sink() as sink, Gateway(delivery=delivery("smtp", [sink.address], CLEAR, "connections: 2")) as gateway:
            self.load(gateway, 20, 60)
            self.assertEqual(len(sink.dumps()), 60)
            gateway.wait_for("delivery", 60, code=250)

    def load(self, gateway: Gateway, sessions: int, messages: int) -> None:
        envelope = ["-f", "a@example.org", "-t", "b@example.com", "-l", "4096", "-N"]
        must_run("smtp-source", "-s", str(sessions), "-m", str(messages), *envelope, f"127.0.0.1:{gateway.port}", timeout=300)

    def test_load(self) -> None:
        """Five hundred messages of fifty clients: each that got 250 is there once."""
        with PostfixBackend() as postfix, Gateway(delivery=delivery("smtp", [postfix.address], CLEAR), workers=2, limits="connections_per_client: 100") as gateway:
            self.load(gateway, 50, 500)
            told = [event["transaction"] for event in gateway.wait_for("delivery", 500)]
            self.assertEqual({event["code"] for event in gateway.events("delivery")}, {250})
            wait_until(lambda: len(postfix.mails()) >= 500, "the mail")
            stored = [re.search(rb"\(gatepost\) with \w+ id ([0-9A-Z]{20})", text).group(1).decode() for text in postfix.mails()]  # type: ignore[union-attr]
            self.assertEqual((len(stored), sorted(stored)), (500, sorted(told)))
            wait_until(no_spool(gateway), "an empty spool")
            brought = [int(number) for number in re.findall(r"disconnect from .* mail=(\d+) ", postfix.log())]
            self.assertNotRegex(postfix.log(), "lost connection|fatal:|panic:|improper command pipelining")
            self.assertEqual(gateway.events("violation") + gateway.events("GAP"), [])
            print(f"500 messages over {len(re.findall(' connect from ', postfix.log())) - 1} connections, ended by then: {brought}")


class Backends(unittest.TestCase):
    def test_first(self) -> None:
        """The first one has all the mail while it is up; then the second; then the first again."""
        with Backend() as first, Backend() as second:
            with Gateway(delivery=delivery("smtp", [first.address, second.address], CLEAR)) as gateway:
                def taken() -> Any:
                    return len(first.taken), len(second.taken)

                for number in range(3):
                    self.assertRegex(send(gateway, octets(number)), "^250 ")
                self.assertEqual(taken(), (3, 0))
                first.refuse()
                for number in range(3):
                    self.assertRegex(send(gateway, octets(number)), "^250 ")
                self.assertEqual(taken(), (3, 3))
                first.listen()
                wait_until(lambda: send(gateway, octets(1))[:4] == "250 " and len(first.taken) == 4, "the first one's return")
                second.refuse()
                self.assertRegex(send(gateway, octets(1)), "^250 ")
                first.refuse()
                with gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                    self.assertRegex(client.say("RCPT TO:<b@example.com>"), r"^451 4\.4\.1 ")

    def test_round_robin(self) -> None:
        with contextlib.ExitStack() as stack:
            backends = [stack.enter_context(Backend()) for _ in range(3)]
            lines = [CLEAR, "order: round_robin", "reuse: 1"]
            with Gateway(delivery=delivery("smtp", [backend.address for backend in backends], *lines)) as gateway:
                for number in range(12):
                    self.assertRegex(send(gateway, octets(number)), "^250 ")
                shares = [len(backend.taken) for backend in backends]
                self.assertEqual(sum(shares), 12)
                self.assertTrue(all(3 <= share <= 5 for share in shares), shares)
                backends[0].refuse()
                for number in range(6):
                    self.assertRegex(send(gateway, octets(number)), "^250 ")
                self.assertEqual(len(backends[0].taken), shares[0])
                self.assertEqual(sum(len(backend.taken) for backend in backends), 18)


if __name__ == "__main__":
    unittest.main()
