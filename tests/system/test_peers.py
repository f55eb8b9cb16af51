"""The mail servers that other tests deliver to do what those tests rely on, spoken to without gatepost."""

import pathlib
import smtplib
import socket
import ssl
import tempfile
from typing import Any, List

from certificates import NAME, Authority
from gateway import unittest, wait_until
from peers import DovecotBackend, EximBackend, PostfixBackend, Sink
from programs import run

MESSAGE = b"Subject: hello\r\n\r\n.dot\r\nGr\xc3\xbc\xc3\x9fe\r\n"


class Peers(unittest.TestCase):
    def offers(self, client: smtplib.SMTP, *words: str) -> None:
        client.ehlo("client.example.net")
        self.assertEqual([word for word in words if not client.has_extn(word)], [])

    def refuses(self, client: smtplib.SMTP, recipient: str) -> str:
        client.mail("a@example.org")
        code, text = client.rcpt(recipient)
        client.rset()
        return f"{code} {text.decode()}"

    def test_postfix(self) -> None:
        with PostfixBackend("message_size_limit = 100000") as postfix:
            with smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
                self.offers(client, "8bitmime", "smtputf8", "dsn", "chunking", "size", "xclient", "pipelining")
                self.assertEqual(client.esmtp_features["size"], "100000")
                self.assertIn("550 5.1.1 <nobody@example.com>: Recipient address rejected: User unknown", self.refuses(client, "nobody@example.com"))
                self.assertIn("452 4.2.2 <full@example.com>: Recipient address rejected: The mailbox is full", self.refuses(client, "full@example.com"))
                self.assertEqual(client.sendmail("a@example.org", ["b@example.com", "12c@example.com"], MESSAGE, ["BODY=8BITMIME"]), {})
                client.sendmail("a@example.org", ["用户@example.com"], MESSAGE, ["BODY=8BITMIME", "SMTPUTF8"])
                self.assertEqual(client.docmd("XCLIENT ADDR=192.0.2.7 NAME=mail.example.net")[0], 220)
            wait_until(lambda: postfix.mails("b") and postfix.mails("c") and postfix.mails("utf8"), "the mail")
            self.assertTrue(postfix.mails("b")[0].endswith(MESSAGE.replace(b"\r\n", b"\n")))
            with socket.create_connection(("127.0.0.1", postfix.proxy_port), 30) as sock:
                sock.sendall(b"PROXY TCP4 192.0.2.9 192.0.2.1 5555 25\r\n")
                self.assertEqual(sock.recv(4), b"220 ")
                wait_until(lambda: "connect from unknown[192.0.2.9]" in postfix.log(), "the PROXY header")

    def test_exim(self) -> None:
        with EximBackend() as exim:
            with smtplib.SMTP("127.0.0.1", exim.port, timeout=30) as client:
                self.offers(client, "8bitmime", "smtputf8", "dsn", "chunking", "size", "pipelining")
                self.assertIn("550 No such user here", self.refuses(client, "nobody@example.com"))
                client.sendmail("a@example.org", ["b@example.com"], MESSAGE, ["BODY=8BITMIME"])
            wait_until(exim.mails, "the mail")
            self.assertTrue(exim.mails()[0].endswith(MESSAGE.replace(b"\r\n", b"\n")))

    def test_dovecot(self) -> None:
        with DovecotBackend() as dovecot:
            with smtplib.LMTP("127.0.0.1", dovecot.port, timeout=30) as client:
                self.offers(client, "8bitmime", "chunking", "pipelining")
                self.assertIn("550 5.1.1 <nobody@example.com> User doesn't exist", self.refuses(client, "nobody@example.com"))
                client.sendmail("a@example.org", ["b@example.com"], MESSAGE)
                client.mail("a@example.org")
                client.rcpt("small@example.com")
                code, text = client.data(b"Subject: much\r\n\r\n" + b"x" * 70 + b"\r\n" + b"y" * 900 * 40 + b"\r\n")
                self.assertEqual((code, text[:6]), (552, b"5.2.2 "))
            self.assertTrue(dovecot.mails("b")[0].endswith(MESSAGE.replace(b"\r\n", b"\n")))
            self.assertEqual(dovecot.mails("small"), [])
            with smtplib.LMTP(dovecot.socket[len("unix:") :]) as client:
                client.sendmail("a@example.org", ["c@example.com"], MESSAGE)
            self.assertEqual(len(dovecot.mails("c")), 1)

    def test_sink(self) -> None:
        for options, step, code in (((), "", 250), (("-f", "RCPT"), "RCPT", 500), (("-r", "."), ".", 450), (("-q", "MAIL"), "MAIL", 0)):
            with Sink(*options) as sink:
                result = run("swaks", "--server", sink.address, "--helo", "client", "--from", "a@example.org", "--to", "b@example.com")
                self.assertEqual(result.returncode == 0, not step, result.stdout)
                self.assertEqual(len(wait_until(sink.dumps, "the mail")) if not step else 0, 0 if step else 1)
                if code >= 400:
                    self.assertIn(f"<** {code} ", result.stdout)

    def test_certificates(self) -> None:
        with tempfile.TemporaryDirectory(prefix="authority.", dir="/var/tmp") as folder:
            authority = Authority(pathlib.Path(folder))
            found: List[Any] = []
            for pair in (authority.right(), authority.wrong_name(), authority.expired(), authority.of_nobody()):
                with PostfixBackend(pair=pair) as postfix, smtplib.SMTP("127.0.0.1", postfix.port, timeout=30) as client:
                    client._host = NAME  # type: ignore[attr-defined]  # smtplib verifies the name it connected to
                    try:
                        client.starttls(context=ssl.create_default_context(cafile=str(authority.file)))
                        found.append("verified")
                    except ssl.SSLCertVerificationError as error:
                        found.append(error.verify_code)
                        client.close()
            # 62 hostname mismatch, 10 has expired, 18 self-signed (openssl verify(1))
            self.assertEqual(found, ["verified", 62, 10, 18])


if __name__ == "__main__":
    unittest.main()
