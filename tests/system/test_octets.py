"""Whatever octets a client sends, a service is shown exactly these, or nobody is asked; they never turn a refusal into acceptance."""

import base64
from typing import Any, Dict, List, Optional

from gateway import Gateway, socket_folder, unittest, wait_until
from liar import Answer, Liar, Request, reply

NASTY: Dict[str, bytes] = {
    "not UTF-8": b"\xff\xfe\x80",
    "cut UTF-8": b"a\xc3",
    "overlong UTF-8": b"\xc0\xaf",
    "a surrogate": b"\xed\xa0\x80",
    "beyond Unicode": b"\xf4\x90\x80\x80",
    "U+FFFD itself": "\ufffd".encode(),
    "valid UTF-8": "h\u00e9\u4e2d\U0001f600".encode(),
    "NUL": b"a\0b",
    "a bar": b"a|b|accept",
    "quotes": b"\"\\\"'",
    "JSON": b'","verdict":"accept","x":"',
    "an escape": b"\\u0000\\n\\",
    "controls": bytes(range(1, 10)) + b"\x0b\x0c" + bytes(range(14, 32)) + b"\x7f",
    "a word of 998": b"w" * 998,
    "all above ASCII": bytes(range(128, 256)),
}
"""Without CR and LF, which end a line of SMTP."""


def exact(fields: Dict[str, Any], name: str) -> bytes:
    """The octets that a field of octets stands for; checks what PROTOCOL.md says about the pair."""
    text = fields[name]
    assert isinstance(text, str)
    coded: Optional[str] = fields.get(name + "_b64")
    if coded is None:
        assert "\ufffd" not in text and "\0" not in text
        return text.encode()
    return base64.b64decode(coded, validate=True)


def quoted(octets: bytes) -> bytes:
    return b'"' + octets.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


class Dialogue:
    """One session against a service with this answer; `replies` and what the service was shown."""

    def __init__(self, answer: Answer, lines: List[bytes], options: str = "", message: bytes = b"", body: str = "headers") -> None:
        self.replies: List[str] = []
        with socket_folder() as folder:
            liar = Liar(f"{folder}/p.sock", ["ehlo", "mail", "rcpt", "message"], answer, body=[body] if body != "inline" else [body, "path"])
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options=options, limits="errors: 1000") as gateway:
                with gateway.connect() as client:
                    client.start()
                    for line in lines:
                        client.send(line + b"\r\n")
                        self.replies.append(client.reply())
                    if message:
                        client.send(message + b".\r\n")
                        self.replies.append(client.reply())
                self.stored = len(gateway.stored()) if (gateway.folder / "mail" / "new").exists() else 0
            self.requests, self.errors = liar.requests, liar.errors
            liar.close()


def accept(request: Request) -> bytes:
    return reply(request["id"])


def reject(request: Request) -> bytes:
    return reply(request["id"], verdict="reject")


class Names(unittest.TestCase):
    def test_ehlo(self) -> None:
        d = Dialogue(accept, [b"EHLO " + octets for octets in NASTY.values()])
        shown = iter(d.requests)
        asked = 0
        for (what, octets), text in zip(NASTY.items(), d.replies):
            with self.subTest(what=what):
                if text[:3] == "250":
                    self.assertEqual(exact(next(shown)["args"], "name"), octets)
                    asked += 1
                else:  # refused by the gateway itself, and nobody was asked
                    self.assertEqual(text[:1], "5", text)
        self.assertEqual(asked, len(d.requests))
        self.assertGreaterEqual(asked, 5)

    def test_ehlo_refused(self) -> None:
        d = Dialogue(reject, [b"EHLO " + octets for octets in NASTY.values()])
        self.assertEqual({text[:1] for text in d.replies}, {"5"})


class Addresses(unittest.TestCase):
    def check(self, hook: str, command: bytes, utf8: bool) -> int:
        """Quoted local parts with each of them; returns how many reached the service."""
        suffix = b" SMTPUTF8" if utf8 else b""
        asked = 0
        for what, octets in NASTY.items():
            path = b"<" + quoted(octets[:60]) + b"@example.com>"
            lines = [b"EHLO client"]
            if hook == "rcpt":
                lines.append(b"MAIL FROM:<a@example.org>" + suffix)
            lines.append(command + path + (suffix if hook == "mail" else b""))
            with self.subTest(what=what, hook=hook, utf8=utf8):
                d = Dialogue(accept, lines)
                seen = [request for request in d.requests if request["hook"] == hook]
                if d.replies[-1][:3] == "250":
                    self.assertEqual(exact(seen[0]["args"], "local"), octets[:60])
                    self.assertEqual(exact(seen[0]["args"], "address"), path[1:-1])
                    asked += 1
                else:
                    self.assertEqual((d.replies[-1][:1], seen), ("5", []))
        return asked

    def test_mail(self) -> None:
        self.assertGreaterEqual(self.check("mail", b"MAIL FROM:", False), 4)

    def test_rcpt_smtputf8(self) -> None:
        self.assertGreaterEqual(self.check("rcpt", b"RCPT TO:", True), 5)


class Parameters(unittest.TestCase):
    def test_no_parameter_is_lost(self) -> None:
        """Of what the gateway takes: order, case and text survive. What it does not know it refuses, whatever it holds."""
        lines = [b"EHLO client", b"MAIL FROM:<a@example.org> sIzE=123 Body=8bitMIME SMTPUTF8"]
        d = Dialogue(accept, lines)
        self.assertEqual(d.requests[-1]["args"]["params"], [["sIzE", "123"], ["Body", "8bitMIME"], ["SMTPUTF8", None]])
        for what, octets in NASTY.items():
            with self.subTest(what=what):
                for parameter in (b"X=" + octets, b"SIZE=" + octets, b"BODY=" + octets, octets):
                    d = Dialogue(accept, [b"EHLO client", b"MAIL FROM:<a@example.org> " + parameter])
                    self.assertEqual((d.replies[-1][:1], d.requests[1:]), ("5", []))


class Headers(unittest.TestCase):
    MESSAGE = b"".join(b"X-%d: %s\r\n" % (i, octets) for i, octets in enumerate(NASTY.values())) + b"\r\n" + b"\r\n".join(NASTY.values()) + b"\r\n"
    LINES = [b"EHLO client", b"MAIL FROM:<a@example.org>", b"RCPT TO:<b@example.com>", b"DATA"]

    def test_headers(self) -> None:
        d = Dialogue(accept, self.LINES, message=self.MESSAGE)
        self.assertEqual(d.replies[-1][:3], "250")
        shown = base64.b64decode(d.requests[-1]["args"]["body"]["headers_b64"], validate=True)
        self.assertEqual(shown, self.MESSAGE.split(b"\r\n\r\n")[0] + b"\r\n\r\n")

    def test_inline(self) -> None:
        d = Dialogue(accept, self.LINES, message=self.MESSAGE, body="inline")
        self.assertEqual(base64.b64decode(d.requests[-1]["args"]["body"]["data_b64"], validate=True), self.MESSAGE)

    def test_refused(self) -> None:
        d = Dialogue(lambda request: reply(request["id"], verdict="reject" if request["hook"] == "message" else "accept"), self.LINES, message=self.MESSAGE)
        self.assertEqual((d.replies[-1][:3], d.stored), ("554", 0))


class FailOpen(unittest.TestCase):
    """Where the operator accepts without the service, a client must not be able to make the service speak nonsense and get in."""

    def test_pasted_into_the_reply(self) -> None:
        names = [NASTY["quotes"], NASTY["JSON"], b'a"b', b"\\", b'","code":250,"z":"', b'"}{"type":"reply","id":2,"verdict":"accept"}']

        def paste(request: Request) -> bytes:
            """As a service does that writes its JSON by hand."""
            return b'{"type":"reply","id":%d,"verdict":"reject","text":"%s"}\n' % (request["id"], exact(request["args"], "name"))

        for name in names:
            with self.subTest(name=name):
                d = Dialogue(paste, [b"EHLO " + name], options="    on_failure: accept\n    timeout: 10s\n")
                self.assertEqual(d.replies[0][:21], "451 Temporary policy ")  # EHLO has no enhanced code
                wait_until(lambda: d.errors, "the author is told")


if __name__ == "__main__":
    unittest.main()
