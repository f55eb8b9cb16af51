"""A subscriber that stops reading slows nobody, costs no memory, and is told exactly what it missed."""

import json
import os
import pathlib
import re
import signal
import socket
import subprocess
from typing import Any, Dict, List

# AddressSanitizer keeps freed memory for a while; here memory is what is measured.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1"

from gateway import PROGRAM, Gateway, socket_folder, unittest, wait_until  # noqa: E402
from liar import Liar  # noqa: E402


def resident_kib(pid: int) -> int:
    match = re.search(r"^VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    assert match
    return int(match.group(1))


def subscribe(gateway: Gateway, **fields: Any) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.settimeout(30)
    sock.connect(str(gateway.events_socket))
    message = {"type": "subscribe", "version": 1, "name": "slow", "events": ["*"], "from": "oldest", **fields}
    sock.sendall(json.dumps(message).encode() + b"\n")
    return sock


def send(gateway: Gateway, messages: int) -> None:
    command = ["smtp-source", "-s", "20", "-m", str(messages), "-l", "100", "-d", "-f", "a@example.org", "-t", "b@example.com"]
    subprocess.run([*command, f"127.0.0.1:{gateway.port}"], check=True, timeout=300)


class SlowSubscriber(unittest.TestCase):
    def test_sent_and_lost_make_emitted(self) -> None:
        with Gateway(delivery="discard: true", extra="events: {ring: 2M}\n") as gateway:
            hub = gateway.hub()
            stuck = subscribe(gateway)
            send(gateway, 500)
            gateway.wait_for("message", 500)
            before = resident_kib(hub)
            for turn in range(2, 12):
                send(gateway, 500)
                gateway.wait_for("message", turn * 500)  # the other subscriber gets all of it meanwhile
            self.assertEqual(gateway.events("GAP"), [])
            # Far more than the ring and the socket hold has happened; the hub has not grown by it.
            self.assertLess(resident_kib(hub) - before, 4096)
            emitted = self.emitted(gateway)
            sent, lost, gaps = self.read_to(stuck, emitted)
            self.assertEqual(sent + lost, emitted)
            self.assertGreater(lost, 0)
            self.assertEqual({gap["why"] for gap in gaps}, {"lag"})
            stuck.close()

    def emitted(self, gateway: Gateway) -> int:
        """The seq of the latest event, once all connections have ended."""
        wait_until(lambda: len(gateway.events("connect")) == len(gateway.events("disconnect")), "the disconnects")
        with subscribe(gateway, **{"from": "now"}) as sock:
            hello = json.loads(sock.makefile("rb").readline())
            return int(hello["head"])

    def read_to(self, sock: socket.socket, last: int) -> Any:
        sent, lost, expected, gaps = 0, 0, 0, []  # type: int, int, int, List[Dict[str, Any]]
        for line in sock.makefile("rb"):
            message = json.loads(line)
            if message["type"] == "event":
                self.assertEqual(message["prev"], expected)
                expected = message["seq"]
                sent += 1
            elif message["type"] == "gap":
                self.assertEqual(message["from"], expected + 1)
                self.assertEqual(message["lost"], message["to"] - message["from"] + 1)
                expected = message["to"]
                lost += message["lost"]
                gaps.append(message)
            if expected >= last:
                return sent, lost, gaps
        raise AssertionError("the stream ended early")


class Accounts(unittest.TestCase):
    def test_only_these(self) -> None:
        with Gateway(extra="events: {uids: [root, 12345]}\n") as gateway:
            os.chmod(gateway.events_socket, 0o666)
            os.chmod(gateway.events_socket.parent, 0o755)
            code = (
                "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
                "print(s.makefile().readline(), end='')"
            )
            for uid, first in ((0, "hello"), (12345, "hello"), (12346, "error")):
                command = ["/usr/bin/python3", "-c", code, str(gateway.events_socket)]
                line = json.loads(subprocess.run(command, user=uid, check=True, capture_output=True, timeout=60, cwd="/").stdout)
                self.assertEqual(line["type"], first)
            self.assertEqual((line["code"], line["fatal"]), ("not_allowed", True))
            for mode, why in ((0o666, "not named in events.uids"), (0o600, "become root or a member of the socket's group")):
                os.chmod(gateway.events_socket, mode)
                command = ["setpriv", "--clear-groups", "--reuid=12346", "--regid=12346", PROGRAM, "events", "-s", str(gateway.events_socket)]
                result = subprocess.run(command, capture_output=True, text=True, timeout=60)
                self.assertEqual(result.returncode, 77, result.stderr)
                self.assertIn(why, result.stderr)


class Redaction(unittest.TestCase):
    SECRETS = ("alice", "bob", "carol", "127.0.0.1", "laptop", "secret")

    def told(self, words: str) -> Dict[str, List[Dict[str, Any]]]:
        """All that a subscriber is told of a session full of names, by the name of the event."""
        with Gateway(extra=f"events: {{redact: [{words}]}}\n") as gateway:
            with gateway.connect() as client:
                client.start("EHLO alices-laptop", "MAIL FROM:<alice@example.org>", "RCPT TO:<bob@example.com>")
                for line in ("RCPT TO:<carol@elsewhere.example>", "VRFY bob", "secret bob", "NOOP secret", "AUTH PLAIN secret"):
                    client.say(line)
                client.say("DATA")
                client.say("Subject: secret\r\n\r\nhi bob\r\n.")
                client.say("QUIT")
            gateway.wait_for("disconnect")
            return self.all_events(gateway)

    def all_events(self, gateway: Gateway) -> Dict[str, List[Dict[str, Any]]]:
        with subscribe(gateway) as sock:
            lines = sock.makefile("rb")
            head = json.loads(lines.readline())["head"]
            events: Dict[str, List[Dict[str, Any]]] = {}
            for line in lines:
                message = json.loads(line)
                events.setdefault(message.get("event", ""), []).append(message.get("data"))
                if message.get("seq") == head:
                    return events
        raise AssertionError("the stream ended early")

    def test_both(self) -> None:
        events = self.told("client, mail")
        for secret in self.SECRETS:
            self.assertNotIn(secret, json.dumps(events).lower())
        self.assertEqual(events["connect"][0]["ip"], "127.0.0.0")
        self.assertEqual(events["mail"][0]["address"], "*@example.org")
        self.assertEqual(events["rcpt"][0]["address"], "*@example.com")
        self.assertEqual([command["line"] for command in events["command"]][:3], ["EHLO *", "MAIL *", "RCPT *"])

    def test_none(self) -> None:
        """The session would have told all of it."""
        text = json.dumps(self.told("")).lower()
        self.assertEqual([secret for secret in self.SECRETS if secret not in text], [])

    def test_words_of_a_service(self) -> None:
        """What is said of a line that ends its connection quotes the line, and that may name anybody."""

        def answer(request: Dict[str, Any]) -> bytes:
            return json.dumps({"type": "reply", "id": request["args"]["address"], "verdict": "accept"}).encode() + b"\n"

        for words, told in (("client", False), ("mail", False), ("", True)):
            with socket_folder() as folder:
                service = Liar(f"{folder}/p.sock", ["mail"], answer)
                with Gateway(policies={"liar": f"{folder}/p.sock"}, extra=f"events: {{redact: [{words}]}}\n") as gateway:
                    gateway.wait_for("policy.service", state="ready")
                    with gateway.connect() as client:
                        client.start("EHLO client")
                        self.assertEqual(client.say("MAIL FROM:<alice@example.org>")[:3], "451")
                    gateway.wait_for("policy.service", state="unavailable")
                    events = self.all_events(gateway)
                service.close()
            for name in ("policy.bad_reply", "policy.service"):
                self.assertEqual("alice" in json.dumps(events[name]), told, (words, events[name]))

    def wait_for_name(self, gateway: Gateway, name: str) -> None:
        wait_until(lambda: any(event["name"] == name for event in gateway.events("ehlo")), f"the name {name}")

    def test_reload(self) -> None:
        """It can be changed while the gateway runs."""
        with Gateway() as gateway:
            with gateway.connect() as client:
                client.start("EHLO alices-laptop")
                self.wait_for_name(gateway, "alices-laptop")
                with open(gateway.config, "a") as config:
                    config.write("events: {redact: [client]}\n")
                assert gateway.process
                gateway.process.send_signal(signal.SIGHUP)
                gateway.wait_for("gateway.reload", ok=True)

                def is_redacted() -> bool:
                    """Of a connection that is made now, which the old worker may still take."""
                    with gateway.connect() as other:
                        other.start("EHLO alices-other-laptop")
                    return any(event["name"] == "*" for event in gateway.events("ehlo"))

                wait_until(is_redacted, "a name that is not told")
                client.say("EHLO again")
                self.wait_for_name(gateway, "again")

    def test_one(self) -> None:
        events = self.told("mail")
        self.assertEqual(events["connect"][0]["ip"], "127.0.0.1")
        self.assertEqual(events["ehlo"][0]["name"], "alices-laptop")
        self.assertEqual(events["mail"][0]["address"], "*@example.org")
        self.assertEqual(events["command"][0]["line"], "EHLO *")


class Command(unittest.TestCase):
    def test_events_command(self) -> None:
        with Gateway() as gateway:
            send(gateway, 3)
            gateway.wait_for("disconnect", 1)
            command = [PROGRAM, "events", "--socket", str(gateway.events_socket), "--from", "oldest", "message"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE)
            assert process.stdout
            lines = [json.loads(process.stdout.readline()) for _ in range(3)]
            self.assertEqual({line["event"] for line in lines}, {"message"})
            process.terminate()
            self.assertEqual(process.wait(30), 0)
            process.stdout.close()
            shell = f"{PROGRAM} events --socket {gateway.events_socket} --from oldest | head -n 1"
            first = subprocess.run(["sh", "-c", shell], capture_output=True, text=True, timeout=60)
            self.assertIn("gateway.start", first.stdout)
            self.assertEqual(first.stderr, "")
            wrong = subprocess.run([*command, "mesage"], capture_output=True, text=True, timeout=60)
            self.assertEqual(wrong.returncode, 64)
            self.assertIn("mesage", wrong.stderr)
            with Gateway() as other:
                gone = subprocess.Popen([PROGRAM, "events", "--socket", str(other.events_socket)], stderr=subprocess.PIPE)
                wait_until(lambda: "gatepost events" in other.log_text(), "the subscription")
            self.assertEqual(gone.wait(30), 69)
            assert gone.stderr
            self.assertIn(b"gatepost", gone.stderr.read())
            gone.stderr.close()


if __name__ == "__main__":
    unittest.main()
