"""What the client sent is what is stored, to the octet; and only CRLF.CRLF ends a message."""

import hashlib
import random

from gateway import Gateway, unittest


def dot_stuffed(content: bytes) -> bytes:
    """RFC 5321 4.5.2."""
    stuffed = content.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


class Content(unittest.TestCase):
    def deliver(self, gateway: Gateway, content: bytes) -> bytes:
        """Sends the message; returns what is stored of it after the fields that the gateway adds."""
        before = set(gateway.stored())
        with gateway.connect() as client:
            client.start("EHLO client", "MAIL FROM:<a@example.org> BODY=8BITMIME", "RCPT TO:<b@example.com>", "DATA")
            client.send(dot_stuffed(content) + b".\r\n")
            self.assertRegex(client.reply(), r"^250 2\.0\.0 OK id=")
            self.assertEqual(client.say("QUIT")[:3], "221")
        (path,) = set(gateway.stored()) - before
        stored = path.read_bytes()
        self.assertTrue(stored.startswith(b"Return-Path: <a@example.org>\r\nDelivered-To: b@example.com\r\nReceived: "))
        self.assertEqual(stored[-len(content) :], content)
        added = stored[: -len(content)]
        self.assertTrue(added.endswith(b"+0000\r\n"))
        self.assertEqual(added.count(b"Received:"), 1)
        return stored

    def test_octets(self) -> None:
        every = bytes(octet for octet in range(256) if octet not in b"\r\n")
        with Gateway() as gateway:
            self.deliver(gateway, b"Subject: all octets\r\n\r\n" + every * 3 + b"\r\n")
            self.deliver(gateway, b"Subject: dots\r\n\r\n.\r\n..\r\n.leading\r\n...\r\nend.\r\n")
            self.deliver(gateway, b".starts with a dot\r\n")
            self.deliver(gateway, b"\r\n")

    def test_fifty_mebibytes(self) -> None:
        generator = random.Random(1)
        lines = []
        size = 0
        while size < 50 * 1024 * 1024:
            line = generator.randbytes(700).replace(b"\r", b"r").replace(b"\n", b"n")
            lines.append((b"." if size % 3 == 0 else b"") + line + b"\r\n")
            size += len(lines[-1])
        content = b"Subject: large\r\n\r\n" + b"".join(lines)
        with Gateway(limits="message_size: 60M") as gateway:
            stored = self.deliver(gateway, content)
            self.assertEqual(hashlib.sha256(stored[-len(content) :]).digest(), hashlib.sha256(content).digest())
            self.assertEqual(list((gateway.folder / "spool").iterdir()), [])

    def test_too_large_then_goes_on(self) -> None:
        with Gateway(limits="message_size: 100K") as gateway, gateway.connect() as client:
            client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
            client.send(b"x" * 70 + b"\r\n" + (b"y" * 78 + b"\r\n") * 3000 + b"MAIL FROM:<never@example.org>\r\n.\r\n")
            self.assertEqual(client.reply()[:9], "552 5.3.4")
            self.assertEqual(client.say("NOOP")[:3], "250")
            self.assertEqual(gateway.stored(), [])
            self.assertEqual(client.say("QUIT")[:3], "221")
            gateway.wait_for("disconnect")  # all events have come
            self.assertEqual(len(gateway.events("mail")), 1)

    def test_smuggling(self) -> None:
        """No other line end than CRLF.CRLF is one: a second message inside the first never starts."""
        inner = b"MAIL FROM:<forged@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\nforged\r\n"
        with Gateway() as gateway:
            for end in (b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r"):
                for pieces in (1, 2, 1000):
                    with self.subTest(end=end, pieces=pieces), gateway.connect() as client:
                        client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                        data = b"Subject: outer\r\n\r\nouter" + end + inner + b"\r\n.\r\n"
                        step = max(1, len(data) // pieces)
                        for at in range(0, len(data), step):
                            client.send(data[at : at + step])
                        self.assertEqual(client.reply()[:9], "550 5.6.0")
                        self.assertEqual(client.say("QUIT")[:3], "221")
            gateway.wait_for("disconnect", 12)
            self.assertEqual(gateway.stored(), [])
            self.assertEqual({event["address"] for event in gateway.events("mail")}, {"a@example.org"})
            self.assertEqual(len(gateway.events("mail")), 12)
            self.assertEqual(len(gateway.events("violation", what="bare_newline")), 12)


class HalfClose(unittest.TestCase):
    def test_reply_after_half_close(self) -> None:
        import socket

        with Gateway() as gateway, gateway.connect() as client:
            lines = b"EHLO x\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
            self.assertEqual(client.reply()[:3], "220")
            client.send(lines + b"Subject: x\r\n\r\nhi\r\n.\r\n")
            client.sock.shutdown(socket.SHUT_WR)
            replies = [client.reply()[:3] for _ in range(5)]
            self.assertEqual(replies, ["250", "250", "250", "354", "250"])
            self.assertEqual(client.reply(), "")
            self.assertEqual(len(gateway.stored()), 1)


if __name__ == "__main__":
    unittest.main()
