"""The C client's examples as services and subscriber of the real program."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
from typing import Iterator, List

from gateway import PATIENCE, PROGRAM, Gateway, socket_folder, unittest, wait_until
from peer_gateway import PeerGateway, mailbox

EXAMPLES = pathlib.Path(os.environ["EXAMPLES"])


@contextlib.contextmanager
def example(name: str, *arguments: str, folder: pathlib.Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A running example; one that is still there at the end must stop at SIGTERM, with code 0 and no complaint."""
    log = folder / f"{name}.log"
    with open(log, "ab") as output:
        process = subprocess.Popen([str(EXAMPLES / name), *arguments], stdout=output, stderr=output)
    try:
        wait_until(lambda: os.path.exists(arguments[0]) or process.poll() is not None, f"the start of {name}")
        yield process
        if process.poll() is None:
            process.terminate()
            if process.wait(PATIENCE) != 0 or "ERROR: " in log.read_text() or "runtime error" in log.read_text():
                raise AssertionError(f"{name} ended with {process.returncode}:\n{log.read_text()}")
            if os.path.exists(arguments[0]):
                raise AssertionError(f"{name} has left its socket behind")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(PATIENCE)


class ClientC(unittest.TestCase):
    def test_blocklist(self) -> None:
        with socket_folder() as folder:
            path = f"{folder}/blocklist.sock"
            with example("blocklist", path, "spam@example.net", "alice@example.com", folder=folder):
                with Gateway(policies={"blocklist": path}) as gateway, gateway.connect() as client:
                    gateway.wait_for("policy.service", state="ready", service="blocklist")
                    client.start("EHLO client.example.net")
                    self.assertEqual(client.say("MAIL FROM:<Spam@Example.NET>"), "550 5.7.1 Sender is blocked")
                    self.assertEqual(client.say("MAIL FROM:<a@example.net>")[:3], "250")
                    self.assertEqual(client.say("RCPT TO:<bob@example.com>"), "550 5.1.1 No such mailbox")
                    self.assertEqual(client.say("RCPT TO:<Alice@example.com>")[:3], "250")
                    self.assertEqual(client.say("RCPT TO:<postmaster>")[:3], "250")
                    self.assertEqual(client.say("DATA")[:3], "354")
                    self.assertEqual(client.say("Subject: one\r\n\r\nhi\r\n.")[:3], "250")
                    self.assertEqual(len(gateway.stored()), 1)

    def test_two_thousand_messages(self) -> None:
        with socket_folder() as folder, example("accept_all", f"{folder}/all.sock", folder=folder):
            policies, limits = {"all": f"{folder}/all.sock"}, "connections_per_client: 1000"
            with Gateway(policies=policies, policy_options="    timeout: 120s\n", limits=limits, workers=2) as gateway:
                command = ["smtp-source", "-s", "50", "-m", "2000", "-l", "4096", "-N", "-f", "a@example.org", "-t", "b@example.com"]
                subprocess.run([*command, f"127.0.0.1:{gateway.port}"], check=True, timeout=300)
                deliveries = gateway.wait_for("delivery", 2000)
                self.assertEqual({event["code"] for event in deliveries}, {250})
                self.assertEqual(len(gateway.stored()), 2000)
                for hook in ("connect", "ehlo", "mail", "rcpt", "data", "message"):
                    self.assertEqual(len(gateway.wait_for("policy.decision", 2000, hook=hook, verdict="accept")), 2000)
                self.assertEqual(gateway.events("policy.failure") + gateway.events("policy.bad_reply") + gateway.events("GAP"), [])

    def test_killed_service(self) -> None:
        with socket_folder() as folder:
            path = f"{folder}/blocklist.sock"
            with example("blocklist", path, "spam@example.net", folder=folder) as service:
                with Gateway(policies={"blocklist": path}) as gateway, gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<a@example.net>", "RSET")
                    service.send_signal(signal.SIGKILL)
                    service.wait(PATIENCE)
                    gateway.wait_for("policy.service", state="unavailable")
                    self.assertEqual(client.say("MAIL FROM:<a@example.net>")[:3], "451")
                    self.assertTrue(os.path.exists(path))  # the dead socket, which the next one replaces
                    with example("blocklist", path, "spam@example.net", folder=folder):
                        gateway.wait_for("policy.service", 2, state="ready")
                        self.assertEqual(client.say("MAIL FROM:<a@example.net>")[:3], "250")

    def test_replaced_service(self) -> None:
        """SIGTERM drains: what is asked while no process listens waits for the successor."""
        with socket_folder() as folder:
            path = f"{folder}/all.sock"
            with example("accept_all", path, folder=folder) as first, Gateway(policies={"all": path}) as gateway:
                gateway.wait_for("policy.service", state="ready")
                command = ["smtp-source", "-s", "10", "-m", "1000", "-l", "1000", "-f", "a@example.org", "-t", "b@example.com"]
                load = subprocess.Popen([*command, f"127.0.0.1:{gateway.port}"])
                gateway.wait_for("delivery", 50)
                first.terminate()
                wait_until(lambda: not os.path.exists(path), "the removal of the socket")
                with example("accept_all", path, folder=folder):
                    self.assertEqual(load.wait(300), 0)
                    self.assertEqual(first.wait(PATIENCE), 0)
                    gateway.wait_for("delivery", 1000, code=250)
                    self.assertGreaterEqual(len(gateway.events("policy.service", state="ready")), 2)
                    self.assertEqual(gateway.events("policy.failure"), [])

    def test_live_socket_is_not_taken(self) -> None:
        with socket_folder() as folder, example("accept_all", f"{folder}/all.sock", folder=folder):
            second = subprocess.run([str(EXAMPLES / "accept_all"), f"{folder}/all.sock"], capture_output=True, timeout=PATIENCE)
            self.assertEqual(second.returncode, 1)
            self.assertIn(b"another service", second.stderr)
            (folder / "file").write_text("kept")
            second = subprocess.run([str(EXAMPLES / "accept_all"), f"{folder}/file"], capture_output=True, timeout=PATIENCE)
            self.assertEqual((second.returncode, (folder / "file").read_text()), (1, "kept"))

    def test_what_is_kept_comes_back(self) -> None:
        """Any process of the service answers: the count is with the gateway."""
        with socket_folder() as folder:
            paths = [f"{folder}/one.sock", f"{folder}/two.sock"]
            known, unknown = {**mailbox("Bob@example.com"), "index": 1, "accepted": 0}, {**mailbox("x@example.com"), "index": 1, "accepted": 0}
            with contextlib.ExitStack() as stack:
                for path in paths:
                    stack.enter_context(example("harvest", path, "bob@example.com", folder=folder))
                first, second = [stack.enter_context(PeerGateway(path)) for path in paths]
                self.assertEqual(first.ask("rcpt", known), {"type": "reply", "id": 1, "verdict": "accept"})
                reply = first.ask("rcpt", unknown)
                self.assertEqual((reply["verdict"], reply["labels"], reply["keep"]), ("reject", ["guesses"], {"session": {"guesses": 1}}))
                reply = second.ask("rcpt", unknown, keep=reply["keep"])
                self.assertEqual((reply["verdict"], reply["keep"]), ("reject", {"session": {"guesses": 2}}))
                reply = first.ask("rcpt", unknown, keep=reply["keep"])
                self.assertEqual((reply["verdict"], reply["code"]), ("disconnect", 421))
                self.assertEqual(second.ask("rcpt", unknown)["verdict"], "reject")  # another session

    def message_file(self, content: bytes) -> int:
        fd = os.memfd_create("message")
        os.write(fd, content)
        os.lseek(fd, 0, os.SEEK_SET)
        return fd

    def test_scanner_by_descriptor(self) -> None:
        """Each message with its own descriptor, many at a time; the pattern lies across two pieces of a read."""
        clean, bad = b"Subject: x\r\n\r\n" + b"x" * 70000, b"x" * 65533 + b"PATTERN" + b"x" * 70000
        with socket_folder() as folder:
            path = f"{folder}/scanner.sock"
            with example("scanner", path, "PATTERN", folder=folder) as process, PeerGateway(path) as gateway:
                self.assertEqual(gateway.register["body"], ["fd", "path"])
                held = {}
                for turn in range(20):
                    for number in range(10):
                        content = bad if (turn + number) % 3 == 0 else clean
                        fd = self.message_file(content)
                        held[gateway.send_request("message", {"size": len(content), "body": {"mode": "fd"}}, fd)] = content is bad
                        os.close(fd)
                    for _ in range(10):
                        reply = gateway.receive()
                        self.assertEqual(reply["verdict"], "quarantine" if held.pop(reply["id"]) else "accept")
                        self.assertEqual([edit["edit"] for edit in reply["edits"]], ["delete_header", "add_header"])
                open_files = os.listdir(f"/proc/{process.pid}/fd")
                self.assertLess(len(open_files), 20)  # none is left open
                # A descriptor that does not come: nobody's guess. The service goes on with others.
                gateway.send_request("message", {"size": 1, "body": {"mode": "fd"}})
                self.assertRaises(EOFError, gateway.receive)
                with PeerGateway(path) as other:
                    fd = self.message_file(clean)
                    self.assertEqual(other.ask("message", {"size": len(clean), "body": {"mode": "fd"}}, fd)["verdict"], "accept")
                    os.close(fd)

    def test_a_decision_that_takes_its_time(self) -> None:
        with socket_folder() as folder:
            path = f"{folder}/slow.sock"
            with example("slow", path, "3000", folder=folder) as process, PeerGateway(path) as gateway:
                mail = gateway.send_request("mail", mailbox("a@example.org"))
                for _ in range(5):
                    self.assertEqual(gateway.ask("ehlo", {"verb": "EHLO", "name": "x"})["verdict"], "accept")
                self.assertEqual(gateway.receive(), {"type": "reply", "id": mail, "verdict": "accept"})
                # SIGTERM: what is open is still answered.
                mail = gateway.send_request("mail", mailbox("a@example.org"))
                gateway.ask("ehlo", {"verb": "EHLO", "name": "x"})
                process.terminate()
                self.assertEqual([gateway.receive()["type"] for _ in range(2)], ["drain", "ping"])
                self.assertFalse(os.path.exists(path))
                gateway.send({"type": "pong"})
                self.assertEqual(gateway.receive()["id"], mail)
                self.assertRaises(EOFError, gateway.receive)
                self.assertEqual(process.wait(PATIENCE), 0)

    def test_slow_within_the_real_gateway(self) -> None:
        with socket_folder() as folder, example("slow", f"{folder}/slow.sock", "3000", folder=folder):
            policies = {"slow": f"{folder}/slow.sock"}
            with Gateway(policies=policies, policy_options="    timeout: 60s\n") as gateway, gateway.connect() as client, gateway.connect() as other:
                gateway.wait_for("policy.service", state="ready")
                client.start("EHLO one")
                client.send(b"MAIL FROM:<a@example.org>\r\n")
                other.start("EHLO two")
                self.assertEqual(client.reply()[:3], "250")
                decisions = [(event["hook"], event["verdict"]) for event in gateway.wait_for("policy.decision", 3)]
                self.assertEqual(decisions, [("ehlo", "accept"), ("ehlo", "accept"), ("mail", "accept")])

    def test_a_gateway_that_misbehaves(self) -> None:
        """All that `gatepost drive --break` has: the service stays, and answers on a new connection."""
        services = {"blocklist": ["spam@example.net"], "accept_all": [], "harvest": ["bob@example.com"], "slow": ["1"]}
        for name, arguments in services.items():
            with socket_folder() as folder, example(name, f"{folder}/p.sock", *arguments, folder=folder):
                for mode in ("half-line", "garbage", "close", "unknown-type", "duplicate-id"):
                    command = [PROGRAM, "drive", "-t", "20", "--break", mode, f"{folder}/p.sock"]
                    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
                    with self.subTest(service=name, mode=mode):
                        self.assertEqual((result.returncode, result.stderr), (0, ""))
                        self.assertIn("new connection: the service answers: ", result.stdout)
                command = [PROGRAM, "drive", "--measure", "--count", "500", f"{folder}/p.sock"]
                self.assertEqual(subprocess.run(command, capture_output=True, timeout=PATIENCE).returncode, 0)

    def lines(self, path: pathlib.Path, pattern: str, count: int) -> List[str]:
        return wait_until(lambda: len(found := re.findall(pattern, path.read_text(), re.M)) >= count and found, f"{count} {pattern}")

    def test_event_tail(self) -> None:
        with Gateway() as gateway:
            output = gateway.folder / "tail"
            with open(output, "wb") as file:
                tail = subprocess.Popen([str(EXAMPLES / "event_tail"), str(gateway.events_socket), "ehlo", "policy.*"], stdout=file)
            try:
                with gateway.connect() as client:
                    client.start()
                    client.send(b"EHLO one\r\n")
                    self.assertEqual(client.reply()[:3], "250")
                data = self.lines(output, r"^\d{4}-\d\d-\d\dT[0-9:.]+Z ehlo [0-9A-Z]{20} (.*)$", 1)
                self.assertEqual(json.loads(data[0])["name"], "one")
                # It goes on after a restart of the gateway, and knows that it may have missed something.
                gateway.stop()
                gateway.start()
                with gateway.connect() as client:
                    client.start("EHLO two")
                self.lines(output, r"^GAP epoch 0 lost$", 1)
                self.assertEqual(json.loads(self.lines(output, r" ehlo [0-9A-Z]{20} (.*)$", 2)[1])["name"], "two")
                self.assertEqual(re.findall(" disconnect ", output.read_text()), [])
            finally:
                tail.terminate()
                tail.wait(PATIENCE)

    def test_event_tail_refused(self) -> None:
        with Gateway() as gateway:
            result = subprocess.run(
                [str(EXAMPLES / "event_tail"), str(gateway.events_socket), "rcptt"], capture_output=True, timeout=PATIENCE
            )
            self.assertEqual(result.returncode, 1)
            self.assertIn(b"rcptt", result.stderr)


if __name__ == "__main__":
    unittest.main()
