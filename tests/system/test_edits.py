"""Edits of a service: exact octets in the Maildir, signatures that still verify, seen by the services behind it."""

import base64
import hashlib
import os
import pathlib
import re
import subprocess
from typing import Any, Dict, List, Optional

from gateway import Gateway, socket_folder, unittest
from liar import Liar, Request, reply
from programs import must_run, opendkim

TWO = {"first": "FIRST", "second": "SECOND"}


def edit(kind: str, **fields: Any) -> Dict[str, Any]:
    return {"edit": kind, **fields}


def send(gateway: Gateway, message: bytes, recipients: List[str] = ["bob@example.com"]) -> str:  # noqa: B006
    """The reply to the message."""
    with gateway.connect() as client:
        client.start("EHLO client", "MAIL FROM:<alice@example.net>", *[f"RCPT TO:<{to}>" for to in recipients], "DATA")
        client.send(re.sub(rb"^\.", b"..", message, flags=re.M) + b".\r\n")
        return client.reply()


def content(stored: bytes) -> bytes:
    """What is below the fields that the gateway puts before each message: Return-Path to Received."""
    match = re.match(rb"Return-Path: .*?\r\nReceived: .*?\r\n(?![ \t])", stored, re.S)
    assert match, stored[:500]
    return stored[match.end() :]


class Chain:
    """A gateway with two services at `message`: the first edits, the second is shown the result."""

    def __init__(self, folder: pathlib.Path, edits: List[Dict[str, Any]], body: str = "inline", **options: Any) -> None:
        self.shown: List[Request] = []
        self.content: List[bytes] = []
        self.spool: Optional[pathlib.Path] = None
        self.first = Liar(f"{folder}/1.sock", ["message"], lambda request: reply(request["id"], edits=edits))
        self.second = Liar(f"{folder}/2.sock", ["message"], self._look, body=[body, "path"] if body == "inline" else [body])
        self.gateway = Gateway(policies={"first": f"{folder}/1.sock", "second": f"{folder}/2.sock"}, **options)

    def _look(self, request: Request) -> bytes:
        body = request["args"]["body"]
        self.shown.append(request)
        if body["mode"] == "inline":
            self.content.append(base64.b64decode(body["data_b64"]))
        elif body["mode"] == "path":
            self.content.append((pathlib.Path(self.second.ready["spool"]) / body["path"]).read_bytes())
        else:
            with os.fdopen(request["fd"], "rb") as file:
                self.content.append(file.read())
        return reply(request["id"])

    def __enter__(self) -> Gateway:
        return self.gateway.__enter__()

    def __exit__(self, *args: Any) -> None:
        self.gateway.__exit__(*args)
        self.first.close()
        self.second.close()


class Signatures(unittest.TestCase):
    """OpenDKIM signs before and verifies after."""

    HEADER = (
        b"From: Alice  <alice@example.net>\r\nTo: bob@example.com\r\nSubject:\thi\r\n  there \r\nX-Spam-Flag: yes\r\n"
        b"Date: Wed, 25 Nov 2026 01:00:00 +0000\r\nX-Tag : one\r\n"
    )
    BODY = b"\r\nHello \r\n.dot\r\n\r\n\r\n"

    def setUp(self) -> None:
        self.context = socket_folder()
        self.folder = self.context.__enter__()
        self.addCleanup(self.context.__exit__, None, None, None)
        must_run("opendkim-genkey", "-b", "2048", "-d", "example.net", "-s", "sel", "-D", str(self.folder))
        record = "".join(re.findall(r'"([^"]*)"', (self.folder / "sel.txt").read_text()))
        record = record.replace("h=sha256; ", "")  # opendkim-testmsg signs with SHA-1
        (self.folder / "dns").write_text(f"sel._domainkey.example.net {record}\n")
        (self.folder / "conf").write_text(f"TestDNSData {self.folder}/dns\nMode v\nSyslog no\n")

    def sign(self) -> bytes:
        """The message with a signature over all fields but the X- ones, which are added behind it."""
        lines = re.sub(rb"^X-.*\r\n", b"", self.HEADER, flags=re.M)
        plain = (lines + self.BODY).replace(b"\r\n", b"\n")
        key = str(self.folder / "sel.private")
        signed = subprocess.run(["opendkim-testmsg", "-d", "example.net", "-s", "sel", "-k", key], input=plain, stdout=subprocess.PIPE, check=True)
        field = re.match(rb"DKIM-Signature:.*?\n(?![ \t])", signed.stdout, re.S)
        assert field, signed.stdout
        return field.group().replace(b"\n", b"\r\n") + self.HEADER + self.BODY

    def verify(self, message: bytes) -> str:
        path = self.folder / "message"
        path.write_bytes(message.replace(b"\r\n", b"\n"))
        return must_run(str(opendkim()), "-x", str(self.folder / "conf"), "-t", str(path))

    def deliver(self, message: bytes, edits: List[Dict[str, Any]]) -> bytes:
        with Chain(self.folder, edits) as gateway:
            self.assertEqual(send(gateway, message)[:3], "250")
            stored = content(gateway.stored()[0].read_bytes())
        for path in ("1.sock", "2.sock"):
            (self.folder / path).unlink()
        return stored

    def test_still_verifies(self) -> None:
        message = self.sign()
        self.assertIn("succeeded", self.verify(message))
        edits = [
            edit("add_header", name="X-Score", value="1.2"),
            edit("add_header", at="bottom", name="X-Last", value="z"),
            edit("replace_header", name="x-tag", value="two"),
            edit("delete_header", name="X-Spam-Flag", nth=0),
        ]
        stored = self.deliver(message, edits)
        wanted = message.replace(b"X-Spam-Flag: yes\r\n", b"").replace(b"X-Tag : one\r\n", b"x-tag: two\r\nX-Last: z\r\n")
        self.assertEqual(stored, b"X-Score: 1.2\r\n" + wanted)
        self.assertIn("succeeded", self.verify(stored))

    def test_the_check_can_fail(self) -> None:
        stored = self.deliver(self.sign(), [edit("replace_header", name="Subject", value="[EXT] hi")])
        self.assertIn(b"\r\nSubject: [EXT] hi\r\n", stored)
        self.assertIn("failed", self.verify(stored))


class Content(unittest.TestCase):
    def deliver(self, message: bytes, body: str) -> None:
        edits = [edit("add_header", name="X-A", value="a"), edit("delete_header", name="Subject")]
        with socket_folder() as folder, (chain := Chain(folder, edits, body=body)) as gateway:
            self.assertEqual(send(gateway, message)[:3], "250")
            wanted = b"X-A: a\r\n" + message.replace(b"Subject: hi\r\n", b"", 1)
            stored = content(gateway.stored()[0].read_bytes())
            self.assertEqual(hashlib.sha256(stored).hexdigest(), hashlib.sha256(wanted).hexdigest())
            self.assertEqual(chain.content, [wanted])
            self.assertEqual(chain.shown[0]["args"]["size"], len(wanted))
            self.assertEqual(os.listdir(gateway.folder / "spool"), [])

    def test_small(self) -> None:
        for body in ("inline", "path", "fd"):
            with self.subTest(body=body):
                self.deliver(b"Subject: hi\r\nX: 1\r\n\r\nbody\r\n", body)

    def test_large(self) -> None:
        octets = bytes(i for i in range(256) if i not in (10, 13)) + b"\r\n"
        for body in ("path", "fd"):
            with self.subTest(body=body):
                self.deliver(b"Subject: hi\r\nX: 1\r\n\r\n" + octets * 4096, body)

    def test_no_header_at_all(self) -> None:
        self.deliver(b"\r\nSubject: hi\r\n".replace(b"Subject: hi\r\n", b"text\r\n"), "inline")


class Envelope(unittest.TestCase):
    def stored(self, edits: List[Dict[str, Any]], recipients: List[str]) -> List[str]:
        with socket_folder() as folder, (chain := Chain(folder, edits)) as gateway:
            self.assertEqual(send(gateway, b"\r\nx\r\n", recipients)[:3], "250")
            self.shown = chain.shown[0]["context"]
            lines = gateway.stored()[0].read_text().split("\n")
        return [line.strip() for line in lines if line.startswith(("Return-Path", "Delivered-To"))]

    def test_all_of_them(self) -> None:
        edits = [
            edit("set_sender", address="bounce@example.com"),
            edit("drop_recipient", index=2),
            edit("add_recipient", address="archive@example.com"),
        ]
        fields = self.stored(edits, ["bob@example.com", "eve@example.com", "dan@example.com"])
        self.assertEqual(
            fields,
            ["Return-Path: <bounce@example.com>", "Delivered-To: bob@example.com", "Delivered-To: dan@example.com", "Delivered-To: archive@example.com"],
        )
        self.assertEqual(self.shown["mail"]["address"], "bounce@example.com")
        self.assertEqual([r["address"] for r in self.shown["recipients"]], ["bob@example.com", "dan@example.com", "archive@example.com"])

    def test_null_path(self) -> None:
        self.assertEqual(self.stored([edit("set_sender", address="")], ["bob@example.com"])[0], "Return-Path: <>")

    def test_sender_at_mail(self) -> None:
        with socket_folder() as folder:
            liar = Liar(f"{folder}/p.sock", ["mail"], lambda request: reply(request["id"], edits=[edit("set_sender", address="new@example.net")]))
            with Gateway(policies={"p": f"{folder}/p.sock"}) as gateway:
                self.assertEqual(send(gateway, b"\r\nx\r\n")[:3], "250")
                self.assertIn("Return-Path: <new@example.net>", gateway.stored()[0].read_text())
            liar.close()


class Refused(unittest.TestCase):
    """One edit that cannot be made: none is, the message is not accepted, and the author is told."""

    def refuse(self, wrong: Dict[str, Any], told: str) -> None:
        right = edit("add_header", name="X-Right", value="1")
        with self.subTest(told=told), socket_folder() as folder, (chain := Chain(folder, [right, wrong])) as gateway:
            self.assertEqual(send(gateway, b"Subject: hi\r\n\r\nx\r\n")[:9], "451 4.3.0")
            self.assertEqual(gateway.stored(), [])
            self.assertEqual(chain.shown, [])
            gateway.wait_for("policy.bad_reply", code="bad_reply")
            self.assertIn(told, chain.first.told())

    def test_each(self) -> None:
        self.refuse(edit("add_header", name="X-Bad", value="a\r\nBcc: eve@example.net"), "")
        self.refuse(edit("add_header", name="X Bad", value="a"), "name")
        self.refuse(edit("add_header", name="X-Bad", value="a\r\n\r\nbody"), "")
        self.refuse(edit("add_recipient", address="eve@elsewhere.example"), "relay")
        self.refuse(edit("add_recipient", address="bob"), "address")
        self.refuse(edit("drop_recipient", index=2), "recipient")
        self.refuse(edit("drop_recipient", index=1), "recipient")
        self.refuse(edit("set_sender", address="a@b>\r\nRCPT TO:<x@y"), "")
        self.refuse(edit("x_unknown"), "edit")


if __name__ == "__main__":
    unittest.main()
