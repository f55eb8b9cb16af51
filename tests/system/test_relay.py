"""gatepost before real SMTP servers: what they refuse and accept is what the client is told, and each octet arrives."""

import re
from typing import Callable, List, Set

from fault_backend import Backend
from gateway import Gateway, unittest, wait_until
from peers import EximBackend, PostfixBackend, Sink
from relay_client import content, delivery, digests, mail, no_spool, octets, offered, send, stuffed

BIG = 3 << 20
CLEAR = "tls: none"


class Relay(unittest.TestCase):
    def arrived(self, mails: Callable[[], List[bytes]], sent: List[bytes]) -> None:
        """The server has exactly these messages, octet by octet."""
        wait_until(lambda: len(mails()) >= len(sent), f"{len(sent)} messages")
        self.assertEqual(digests(map(content, mails())), digests(sent))


class Octets(Relay):
    def through(self, gateway: Gateway) -> List[bytes]:
        """Messages of many sizes, several in a session; the long ones need many pieces."""
        sizes = [0, 65536 - 400, 65536, 200000, BIG]
        messages = [octets(number, size) for number, size in enumerate(sizes)]
        with gateway.connect() as client:
            client.start("EHLO client.example.net")
            for message in messages:
                parameters = " BODY=8BITMIME"
                self.assertRegex(mail(client, message, parameters=parameters), "^250 ")
            self.assertRegex(client.say("QUIT"), "^221 ")
        wait_until(no_spool(gateway), "an empty spool")
        return messages

    def test_as_they_are_on_the_wire(self) -> None:
        with Backend() as backend, Gateway(delivery=delivery("smtp", [backend.address], CLEAR)) as gateway:
            wait_until(lambda: "8BITMIME" in offered(gateway), "the backend's offer")
            messages = self.through(gateway)
            found = [text[text.index(b"X-Test-Start") :] for _, text in backend.taken]
            self.assertEqual(digests(found), digests(messages))
            for _, text in backend.taken:
                self.assertRegex(text, rb"^Received: from client\.example\.net ")
                # A Received field of ours, and nothing else of ours.
                self.assertEqual(len(re.findall(rb"^[A-Z][\w-]*:", text[: text.index(b"X-Test-Start")], re.M)), 1)

    def test_binary(self) -> None:
        """BINARYMIME, where the backend has it: octets that are no lines."""
        message = b"X-Test-Start: 1\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256)) * 1000 + b"\r\n.\r\nQUIT\r\n\n.\n\r.\r"
        with Backend() as backend:
            backend.offer = ["8BITMIME", "BINARYMIME", "CHUNKING"]
            with Gateway(delivery=delivery("smtp", [backend.address], CLEAR)) as gateway:
                wait_until(lambda: "BINARYMIME" in offered(gateway), "the backend's offer")
                with gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<a@example.org> BODY=BINARYMIME", "RCPT TO:<b@example.com>")
                    client.send(b"BDAT %d\r\n" % 1000 + message[:1000])
                    self.assertRegex(client.reply(), "^250 ")
                    client.send(b"BDAT %d LAST\r\n" % (len(message) - 1000) + message[1000:])
                    self.assertRegex(client.reply(), "^250 2.0.0 taken by the backend")
            self.assertEqual(digests([text[text.index(b"X-Test-Start") :] for _, text in backend.taken]), digests([message]))
            self.assertIn("MAIL FROM:<a@example.org> BODY=BINARYMIME", backend.commands)

    def test_postfix(self) -> None:
        with PostfixBackend() as postfix, Gateway(delivery=delivery("smtp", [postfix.address], CLEAR)) as gateway:
            wait_until(lambda: "8BITMIME" in offered(gateway), "the backend's offer")
            self.arrived(postfix.mails, self.through(gateway))
            self.assertNotRegex(postfix.log(), "warning: .*(improper|non-SMTP)|fatal:|panic:|lost connection")

    def test_exim(self) -> None:
        with EximBackend() as exim, Gateway(delivery=delivery("smtp", [exim.address], CLEAR)) as gateway:
            wait_until(lambda: "8BITMIME" in offered(gateway), "the backend's offer")
            self.arrived(exim.mails, self.through(gateway))
            self.assertNotRegex(exim.log(), "(?i)protocol error|synchronization|panic|unexpected")


class Refusals(Relay):
    def test_recipients(self) -> None:
        """Each recipient is told what the backend says of it; the others get the mail."""
        with PostfixBackend() as postfix, Gateway(delivery=delivery("smtp", [postfix.address], CLEAR)) as gateway:
            with gateway.connect() as client:
                client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                told = {name: client.say(f"RCPT TO:<{name}@example.com>") for name in ("nobody", "b", "full", "c")}
                self.assertRegex(told["nobody"], r"^550 5\.1\.1 <nobody@example\.com>: Recipient address rejected: User unknown")
                self.assertRegex(told["full"], r"^452 4\.2\.2 <full@example\.com>: Recipient address rejected: The mailbox is full")
                self.assertRegex(told["b"] + told["c"], r"^250 .*250 ")
                self.assertRegex(client.say("DATA"), "^354 ")
                client.send(stuffed(octets(1)))
                self.assertRegex(client.reply(), r"^250 2\.0\.0 Ok: .*queued as \w+$")
            wait_until(lambda: postfix.mails("b") and postfix.mails("c"), "the mail")
            event = gateway.wait_for("delivery", code=250)[0]
            self.assertEqual(event["transaction"].encode() in postfix.mails("b")[0], True)

    def test_exim(self) -> None:
        with EximBackend() as exim, Gateway(delivery=delivery("smtp", [exim.address], CLEAR)) as gateway:
            with gateway.connect() as client:
                client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                self.assertRegex(client.say("RCPT TO:<nobody@example.com>"), r"^550 (5\.\d\.\d )?No such user here$")

    def test_none_left(self) -> None:
        """All recipients refused: there is no DATA, and the backend's connection serves the next."""
        with PostfixBackend() as postfix, Gateway(delivery=delivery("smtp", [postfix.address], CLEAR)) as gateway:
            with gateway.connect() as client:
                client.start("EHLO client.example.net")
                for _ in range(3):
                    client.say("MAIL FROM:<a@example.org>")
                    self.assertRegex(client.say("RCPT TO:<nobody@example.com>"), "^550 ")
                    self.assertRegex(client.say("DATA"), "^5")
                    client.say("RSET")
                self.assertRegex(mail(client, octets(1)), "^250 ")

    def test_size(self) -> None:
        with PostfixBackend("message_size_limit = 100000") as postfix:
            with Gateway(delivery=delivery("smtp", [postfix.address], CLEAR)) as gateway:
                wait_until(lambda: "SIZE 100000" in offered(gateway), "the backend's size")
                with gateway.connect() as client:
                    client.start("EHLO client.example.net")
                    self.assertRegex(client.say("MAIL FROM:<a@example.org> SIZE=200000"), r"^552 5\.3\.4 ")
                    self.assertRegex(mail(client, octets(1, 200000)), r"^552 5\.3\.4 ")
                    self.assertRegex(mail(client, octets(2, 50000)), "^250 ")
                wait_until(no_spool(gateway), "an empty spool")
                self.arrived(postfix.mails, [octets(2, 50000)])

    def test_smtp_sink(self) -> None:
        """What smtp-sink refuses, at the step where its client must hear of it."""
        cases = [
            (["-f", "MAIL"], "RCPT", "500 5.3.0 "), (["-r", "MAIL"], "RCPT", "450 4.3.0 "), (["-f", "RCPT"], "RCPT", "500 5.3.0 "),
            (["-r", "RCPT"], "RCPT", "450 4.3.0 "), (["-f", "DATA"], "dot", "500 5.3.0 "), (["-r", "DATA"], "dot", "450 4.3.0 "),
            (["-f", "."], "dot", "500 5.3.0 "), (["-r", "."], "dot", "450 4.3.0 "), (["-q", "CONNECT"], "RCPT", "451 4.4.1 "),
            (["-q", "EHLO"], "RCPT", "451 4.4.1 "), (["-q", "RCPT"], "RCPT", "451 4.4."), (["-q", "."], "dot", "451 4.4.2 "),
            (["-Q", "."], "dot", "451 4."), (["-f", "EHLO"], "dot", "250 "), (["-e"], "dot", "250 "), (["-p"], "dot", "250 "),
        ]  # fmt: skip
        for options, step, wanted in cases:
            with self.subTest(" ".join(options)), Sink(*options) as sink, Gateway(delivery=delivery("smtp", [sink.address], CLEAR)) as gateway:
                with gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                    at, reply = "RCPT", client.say("RCPT TO:<b@example.com>")
                    if reply[0] == "2":
                        at, reply = "dot", (client.say("DATA"), client.say("Subject: x\r\n\r\nhi\r\n."))[1]
                    self.assertEqual((at, reply[: len(wanted)]), (step, wanted), reply)
                wait_until(no_spool(gateway), "an empty spool")


class Offers(Relay):
    WORDS = {"8BITMIME", "SMTPUTF8", "DSN"}

    def test_postfix(self) -> None:
        nothing: Set[str] = set()
        for missing in (nothing, {"8BITMIME", "SMTPUTF8"}, {"DSN"}, {"CHUNKING"}, {"PIPELINING"}):
            extra = f"smtpd_discard_ehlo_keywords = {', '.join(word.lower() for word in missing)}"
            with self.subTest(missing), PostfixBackend(extra) as postfix:
                with Gateway(delivery=delivery("smtp", [postfix.address], CLEAR)) as gateway:
                    wanted = self.WORDS - missing
                    wait_until(lambda: offered(gateway) & self.WORDS == wanted, f"the offer {wanted}", 20)
                    self.assertTrue({"PIPELINING", "ENHANCEDSTATUSCODES"} <= offered(gateway))
                    self.assertNotIn("BINARYMIME", offered(gateway))
                    with gateway.connect() as client:
                        client.start("EHLO client.example.net")
                        for word, parameter in (("8BITMIME", "BODY=8BITMIME"), ("SMTPUTF8", "SMTPUTF8"), ("DSN", "RET=HDRS")):
                            reply = client.say(f"MAIL FROM:<a@example.org> {parameter}")
                            self.assertEqual(reply[:9] == "555 5.5.4", word in missing, reply)
                            client.say("RSET")
                    message = octets(1) if "8BITMIME" not in missing else octets(1).decode("latin-1").encode("ascii", "replace")
                    self.assertRegex(send(gateway, message), "^250 ")
                    self.arrived(postfix.mails, [message])

    def test_nobody_there(self) -> None:
        """Nothing is known of a backend that is down since the start; when it comes it is asked."""
        with Backend() as backend:
            backend.refuse()
            with Gateway(delivery=delivery("smtp", [backend.address], CLEAR)) as gateway:
                self.assertEqual(offered(gateway) & self.WORDS, set())
                with gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                    self.assertRegex(client.say("RCPT TO:<b@example.com>"), r"^451 4\.4\.1 ")
                backend.listen()
                wait_until(lambda: offered(gateway) & self.WORDS == {"8BITMIME"}, "the backend's offer")

    def test_parameters(self) -> None:
        """Those of 8BITMIME, SMTPUTF8 and DSN arrive as they were sent; SIZE and AUTH are not passed on."""
        with Backend() as backend:
            backend.offer = ["SIZE 1000000", "8BITMIME", "SMTPUTF8", "DSN"]
            with Gateway(delivery=delivery("smtp", [backend.address], CLEAR)) as gateway:
                wait_until(lambda: self.WORDS <= offered(gateway), "the backend's offer")
                with gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<jürgen@example.org> SIZE=4000 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=an+2Did")
                    client.say("RCPT TO:<用户@example.com> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;x@example.com")
                    self.assertRegex(client.say("DATA"), "^354 ")
                    client.send(stuffed(octets(1)))
                    self.assertRegex(client.reply(), "^250 ")
            said = {line.split(":")[0]: set(line.split(" ")[1:]) for line in backend.commands if ":" in line}
            self.assertEqual(said["MAIL FROM"], {"FROM:<jürgen@example.org>", "BODY=8BITMIME", "SMTPUTF8", "RET=HDRS", "ENVID=an+2Did"})
            self.assertEqual(said["RCPT TO"], {"TO:<用户@example.com>", "NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;x@example.com"})

    def test_notification(self) -> None:
        """Postfix reports the delivery to the sender when the client wanted that."""
        with PostfixBackend() as postfix, Gateway(delivery=delivery("smtp", [postfix.address], CLEAR)) as gateway:
            wait_until(lambda: self.WORDS <= offered(gateway), "the backend's offer")
            with gateway.connect() as client:
                client.start("EHLO client.example.net", "MAIL FROM:<c@example.com> ENVID=id7", "RCPT TO:<b@example.com> NOTIFY=SUCCESS", "DATA")
                client.send(stuffed(octets(1)))
                self.assertRegex(client.reply(), "^250 ")
            report = wait_until(lambda: postfix.mails("c"), "the notification")[0]
            self.assertIn(b"Original-Envelope-Id: id7", report)


class ShowClient(Relay):
    SOURCES = ("127.0.0.5", "127.0.0.6", "127.0.0.5", "127.0.0.7")

    def seen(self, show: str, address: Callable[[PostfixBackend], str]) -> None:
        with PostfixBackend() as postfix:
            with Gateway(delivery=delivery("smtp", [address(postfix)], CLEAR, f"show_client: {show}")) as gateway:
                for number, source in enumerate(self.SOURCES):
                    self.assertRegex(send(gateway, octets(number), source=source), "^250 ")
                self.arrived(postfix.mails, [octets(number) for number in range(len(self.SOURCES))])
                for stored in postfix.mails():
                    number = int(re.search(rb"X-Test-Start: (\d+)", stored).group(1))  # type: ignore[union-attr]
                    received = re.search(rb"Received: from (\S+) \(([^)]*)\)\s+by backend", stored)
                    assert received, stored
                    self.assertIn(f"[{self.SOURCES[number]}]".encode(), received.group(2))
                    # XCLIENT tells the name in EHLO, too; the PROXY protocol has no place for it.
                    self.assertEqual(received.group(1), b"client.example.net" if show == "xclient" else b"mx.example.com")

    def test_xclient(self) -> None:
        self.seen("xclient", lambda postfix: postfix.address)

    def test_proxy(self) -> None:
        self.seen("proxy", lambda postfix: postfix.proxy_address)

    def test_none(self) -> None:
        with PostfixBackend() as postfix, Gateway(delivery=delivery("smtp", [postfix.address], CLEAR)) as gateway:
            self.assertRegex(send(gateway, octets(1), source="127.0.0.5"), "^250 ")
            stored = wait_until(postfix.mails, "the mail")[0]
            self.assertRegex(stored, rb"Received: from mx\.example\.com \([^)]*\[127\.0\.0\.1\]\)\s+by backend")
            self.assertRegex(stored, rb"Received: from client\.example\.net \([^)]*\[?127\.0\.0\.5\]?\)")


if __name__ == "__main__":
    unittest.main()
