"""The event stream of a running gateway is as protocol/schema says, and the Python package accepts all of it."""

import json
import os
import signal
import socket
from typing import Any, Dict, Set

import jsonschema

from gateway import ROOT, Gateway, service_process, socket_folder, unittest

from gatepost import wire

SERVICE = """
service = gatepost.Service("judge", body=["headers"])
@service.connect
def connect(request): return gatepost.accept("welcome")
@service.mail
def mail(request):
    if request.mailbox == "bad@example.org": return gatepost.reject("No", reason="bad")
    if request.mailbox == "bug@example.org": raise RuntimeError("a bug on purpose")
    return gatepost.accept()
@service.rcpt
def rcpt(request):
    if request.mailbox.startswith("later"): return gatepost.tempfail("Later", until="transaction")
    return gatepost.discard() if request.mailbox.startswith("gone") else gatepost.accept(labels=["known", "local"])
@service.message
def message(request):
    edits = [gatepost.edits.add_header("X-A", "b"), gatepost.edits.delete_header("X-B")]
    return gatepost.quarantine(edits=edits) if b"odd" in request.body.read() else gatepost.discard()
"""


def closed(schema: Any) -> Any:
    """The schema of events, with no field in `data` that it does not name: others may add some, this gateway adds none."""
    for case in schema["allOf"]:
        data = case["then"]["properties"]["data"]
        assert "additionalProperties" not in data
        data["additionalProperties"] = False
    return schema


class Schema(unittest.TestCase):
    def talk(self, gateway: Gateway) -> None:
        with gateway.connect() as client:
            client.start("EHLO client", "NOOP")
            for line in ("HELO \u00e9", "MAIL FROM:<bad@example.org>", "MAIL FROM:<bug@example.org>", "BOGUS", "RCPT TO:<x>", "STARTTLS x"):
                client.say(line)
            client.send(b"NOOP \xff\x00\r\nMAIL FROM:<\xff@example.org>\r\n")
            client.reply(), client.reply()
            for line in ("MAIL FROM:<a@example.org> BODY=8BITMIME", "RCPT TO:<b@example.com>", "RCPT TO:<gone@example.com>", "DATA", "X-C: odd\r\n\r\nhi\r\n.",
                         "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA", "hi\r\n.",
                         "MAIL FROM:<a@example.org>", "RCPT TO:<later@example.com>", "RCPT TO:<b@example.com>", "RSET", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA", "a\nb\r\n.",
                         "QUIT"):  # fmt: skip
                client.say(line)
        with gateway.connect() as client:
            client.reply()
            client.say("GET / HTTP/1.1")

    def gateway(self, path: str) -> Gateway:
        """The same service twice: it decides, it must be there, and it is asked once more only to be watched."""
        made = Gateway(policies={"judge": path, "watched": path}, policy_options="    on_failure: accept\n")
        text = made.config.read_text()
        made.config.write_text(text.replace("- name: judge\n", "- name: judge\n    required: true\n").replace("- name: watched\n", "- name: watched\n    mode: shadow\n"))
        return made

    def test_every_event(self) -> None:
        schema = closed(json.loads((ROOT / "protocol/schema/event.json").read_text()))
        with socket_folder() as folder, self.gateway(f"{folder}/p.sock") as gateway:
            with gateway.connect() as client:  # no service yet
                client.start("EHLO early")
            with service_process(f"{folder}/p.sock", SERVICE):
                for policy in ("judge", "watched"):
                    gateway.wait_for("policy.service", state="ready", policy=policy)
                self.talk(gateway)
                gateway.wait_for("disconnect", 3)
            gateway.wait_for("policy.service", 2, state="unavailable")
            gateway.wait_for("gateway.unready")
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(gateway.events_socket))
                sock.sendall(b'{"type":"subscribe","version":1,"from":"oldest"}\n')
                lines = sock.makefile("rb")
                seen: Dict[str, Set[str]] = {}
                head: Any = None
                for line in lines:
                    message = wire.decode(line)
                    assert message is not None
                    wire.check(message)
                    if message["type"] == "hello":
                        head = message["head"]
                    if message["type"] != "event":
                        continue
                    jsonschema.validate(message, schema, jsonschema.Draft202012Validator)
                    seen.setdefault(message["event"], set()).update(message["data"])
                    if message["seq"] >= head:
                        break
        expected = set(wire.EVENTS) - {"secure", "gateway.drain", "gateway.reload", "policy.bad_reply", "policy.breaker", "starttls", "auth"}
        self.assertEqual(expected - set(seen), set())
        for name, optional in (("policy.decision", {"labels", "until", "edits", "reason"}), ("message", {"labels", "quarantine", "discarded"}),
                               ("rcpt", {"discarded", "by"}), ("policy.shadow", {"verdict", "failure"})):  # fmt: skip
            self.assertEqual(optional - seen[name], set(), name)

    def test_path_that_is_no_text(self) -> None:
        """A failed reload names the file, and files may have any name."""
        schema = closed(json.loads((ROOT / "protocol/schema/event.json").read_text()))
        gateway = Gateway()
        gateway.config = gateway.config.rename(gateway.config.with_name(os.fsdecode(b"\xff.yaml")))
        with gateway:
            with open(gateway.config, "a") as config:
                config.write("nonsense: 1\n")
            assert gateway.process
            gateway.process.send_signal(signal.SIGHUP)
            (event,) = gateway.wait_for("gateway.reload")
            data = {name: value for name, value in event.items() if name not in ("event", "session", "transaction")}
            self.assertIn("message_b64", data)
            message = {"type": "event", "seq": 1, "prev": 0, "time": "2026-11-24T11:03:15.482113Z", "event": "gateway.reload", "data": data}
            jsonschema.validate(message, schema, jsonschema.Draft202012Validator)


if __name__ == "__main__":
    unittest.main()
