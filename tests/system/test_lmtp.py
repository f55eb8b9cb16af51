"""gatepost before Dovecot's LMTP: each recipient's own answer reaches the client."""

from typing import List

from gateway import Client, Gateway, unittest, wait_until
from peers import DovecotBackend
from relay_client import content, delivery, digests, mail, no_spool, octets, send, stuffed

CLEAR = "tls: none"
LMTP = "    protocol: lmtp\n"


class Lmtp(unittest.TestCase):
    def has(self, dovecot: DovecotBackend, box: str, *messages: bytes) -> None:
        self.assertEqual(digests(map(content, dovecot.mails(box))), digests(messages))

    def test_tcp_and_unix(self) -> None:
        """The octets, over both kinds of address. Dovecot has the mail when it says so: there is nothing to wait for."""
        with DovecotBackend() as dovecot:
            sent: List[bytes] = []
            for address in (dovecot.address, dovecot.socket):
                with Gateway(delivery=delivery("lmtp", [address], CLEAR)) as gateway:
                    for size in (0, 65536, 1 << 20):
                        sent.append(octets(len(sent), size))
                        self.assertRegex(send(gateway, sent[-1]), r"^250 2\.0\.0 <b@example\.com> \S+ Saved$")
                        self.has(dovecot, "b", *sent)
                    wait_until(no_spool(gateway), "an empty spool")
                    self.assertEqual(len(gateway.wait_for("delivery", 3, code=250)), 3)

    def test_unknown(self) -> None:
        with DovecotBackend() as dovecot, Gateway(delivery=delivery("lmtp", [dovecot.socket], CLEAR)) as gateway:
            with gateway.connect() as client:
                client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                self.assertRegex(client.say("RCPT TO:<nobody@example.com>"), r"^550 5\.1\.1 <nobody@example\.com> User doesn't exist")
                # It was refused and does not count as the one.
                self.assertRegex(client.say("RCPT TO:<b@example.com>"), "^250 ")
                self.assertRegex(client.say("DATA"), "^354 ")
                client.send(stuffed(octets(1)))
                self.assertRegex(client.reply(), "^250 ")
            self.has(dovecot, "b", octets(1))

    def test_one_recipient(self) -> None:
        """By default a transaction has one recipient; the sender brings the others next."""
        with DovecotBackend() as dovecot, Gateway(delivery=delivery("lmtp", [dovecot.socket], CLEAR)) as gateway:
            with gateway.connect() as client:
                client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>")
                self.assertRegex(client.say("RCPT TO:<c@example.com>"), r"^452 4\.5\.3 ")
                self.assertRegex(client.say("DATA"), "^354 ")
                client.send(stuffed(octets(1)))
                self.assertRegex(client.reply(), "^250 ")
                self.assertRegex(mail(client, octets(2), ["c@example.com"]), "^250 ")
            self.has(dovecot, "b", octets(1))
            self.has(dovecot, "c", octets(2))

    def test_quota(self) -> None:
        with DovecotBackend() as dovecot, Gateway(delivery=delivery("lmtp", [dovecot.socket], CLEAR)) as gateway:
            self.assertRegex(send(gateway, octets(1, 60000), ["small@example.com"]), r"^552 5\.2\.2 ")
            self.assertEqual(dovecot.mails("small"), [])
            wait_until(no_spool(gateway), "an empty spool")

    def several(self, client: Client, message: bytes, recipients: List[str], hello: str) -> None:
        client.start(f"{hello} client.example.net", "MAIL FROM:<a@example.org>", *(f"RCPT TO:<{name}@example.com>" for name in recipients), "DATA")
        client.send(stuffed(message))

    def test_a_reply_for_each(self) -> None:
        """An LMTP client has Dovecot's reply for each recipient, in their order."""
        with DovecotBackend() as dovecot:
            with Gateway(delivery=delivery("lmtp", [dovecot.socket], CLEAR, "recipients: 10"), listener=LMTP) as gateway:
                with gateway.connect() as client:
                    message = octets(1, 60000)
                    self.several(client, message, ["b", "small", "c"], "LHLO")
                    replies = [client.reply() for _ in range(3)]
                    self.assertRegex(replies[0], r"^250 2\.0\.0 <b@example\.com> \S+ Saved$")
                    self.assertRegex(replies[1], r"^552 5\.2\.2 <small@example\.com> ")
                    self.assertRegex(replies[2], r"^250 2\.0\.0 <c@example\.com> \S+ Saved$")
                    self.assertRegex(client.say("QUIT"), "^221 ")
                self.has(dovecot, "b", message)
                self.has(dovecot, "c", message)
                self.assertEqual(dovecot.mails("small"), [])

    def test_several_over_smtp(self) -> None:
        """With one reply for several recipients a 250 is said only when it is true of all."""
        with DovecotBackend() as dovecot:
            with Gateway(delivery=delivery("lmtp", [dovecot.socket], CLEAR, "recipients: 10")) as gateway:
                for number, (size, names, wanted) in enumerate(
                    [(3000, ["b", "c"], "250 "), (60000, ["b", "small"], "451 4.3.0 "), (60000, ["small"], "552 5.2.2 ")]
                ):
                    with gateway.connect() as client:
                        self.several(client, octets(number, size), names, "EHLO")
                        self.assertEqual(client.reply()[: len(wanted)], wanted)
                self.has(dovecot, "b", octets(0), octets(1, 60000))
                self.has(dovecot, "c", octets(0))


if __name__ == "__main__":
    unittest.main()
