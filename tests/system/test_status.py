"""`gatepost status` tells what the gateway does: its numbers are those of a known load."""

import contextlib
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import termios
import fcntl
from typing import Any, Dict, Iterator, List, Tuple

import jsonschema

from gateway import PATIENCE, PROGRAM, ROOT, Client, Gateway, service_process, socket_folder, unittest, wait_until

SERVICE = """
service = gatepost.Service("judge")
@service.connect
def connect(request): return gatepost.accept()
@service.mail
def mail(request): return gatepost.accept()
@service.rcpt
def rcpt(request): return gatepost.accept() if request.mailbox == "good@example.com" else gatepost.reject("No")
"""
WAITS = """
import time
service = gatepost.Service("slow")
@service.mail
async def mail(request):
    while not os.path.exists({flag!r}): await asyncio.sleep(0.02)
    return gatepost.accept()
"""
LETTER = b"Subject: x\r\n\r\nhello\r\n.\r\n"


def status(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([PROGRAM, "status", *arguments], capture_output=True, text=True, timeout=PATIENCE)


def path_of(gateway: Gateway) -> str:
    return str(gateway.folder / "run" / "control.sock")


def told(gateway: Gateway) -> Dict[str, Any]:
    result = status("--json", "--socket", path_of(gateway))
    assert result.returncode == 0, result.stderr
    (line,) = result.stdout.splitlines()
    message: Dict[str, Any] = json.loads(line)
    return message


class Counted(Client):
    """Counts the octets of both ways."""

    def __init__(self, port: int) -> None:
        self.sent = self.received = 0
        super().__init__(port)

    def send(self, data: bytes) -> None:
        self.sent += len(data)
        super().send(data)

    def reply(self) -> str:
        while True:
            line = self._file.readline()
            self.received += len(line)
            if line[3:4] != b"-":
                return line.decode().rstrip()


class Terminal:
    """The command on a terminal of 24 lines."""

    def __init__(self, *arguments: str) -> None:
        self.fd, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 70, 0, 0))
        self.slave = slave
        self.before = termios.tcgetattr(slave)
        self.process = subprocess.Popen([PROGRAM, "status", *arguments], stdin=slave, stdout=slave, stderr=slave, start_new_session=True)
        self.text = ""

    def has(self, part: str, after: int = 0) -> bool:
        while select.select([self.fd], [], [], 0)[0]:
            self.text += os.read(self.fd, 65536).decode()
        return part in self.text[after:]

    def wait_for(self, part: str, after: int = 0) -> None:
        wait_until(lambda: self.has(part, after), f"{part!r} on the terminal")

    def frames(self) -> List[str]:
        self.has("")
        return self.text.split("\033[H")[1:]

    def end(self) -> int:
        code = wait_until(lambda: (self.has(""), self.process.poll())[1] is not None, "the end of status") and self.process.returncode
        assert termios.tcgetattr(self.slave) == self.before, "the terminal is not as it was"
        assert self.text.rstrip().endswith("\033[?25h"), "the cursor is not shown"
        os.close(self.fd)
        os.close(self.slave)
        return int(code)


class Status(unittest.TestCase):
    def load(self, gateway: Gateway, sessions: int) -> Tuple[int, int]:
        """In each session two messages and a recipient that is refused."""
        sent = received = 0
        for _ in range(sessions):
            client = Counted(gateway.port)
            client.start("EHLO client")
            for _ in range(2):
                for line in ("MAIL FROM:<a@example.org>", "RCPT TO:<bad@example.com>", "RCPT TO:<good@example.com>", "DATA"):
                    client.say(line)
                client.send(LETTER)
                self.assertEqual(client.reply()[:3], "250")
            client.say("QUIT")
            client.close()
            sent, received = sent + client.sent, received + client.received
        gateway.wait_for("disconnect", sessions)
        return sent, received

    def test_known_load(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", SERVICE):
            with Gateway(policies={"judge": f"{folder}/p.sock"}, workers=2) as gateway:
                gateway.wait_for("policy.service", 2, state="ready")
                sent, received = self.load(gateway, 5)
                message = told(gateway)
                jsonschema.validate(message, json.loads((ROOT / "protocol/schema/status.json").read_text()))
                self.check_sums(message, sent, received)
                self.check_policy(message)
                self.check_rest(gateway, message)
                text = status("-c", str(gateway.config))
                self.assertEqual((text.returncode, text.stderr), (0, ""))
                self.assertIn("\nready\n", text.stdout)
                self.assertRegex(text.stdout, r"\nmessages +10 ")
                self.assertRegex(text.stdout, r"\n  rcpt +20 .* accept 10, reject 10\n")
                self.assertNotIn("\033", text.stdout)

    def check_sums(self, message: Dict[str, Any], sent: int, received: int) -> None:
        sums = message["sums"]
        self.assertEqual((sums["connections"], sums["messages"]), (5, 10))
        self.assertEqual(sums["message_octets"], 10 * (len(LETTER) - 3))
        self.assertEqual((sums["octets_in"], sums["octets_out"]), (sent, received))
        # The banner, EHLO, QUIT; of each message MAIL, a recipient and the end of the data.
        self.assertEqual(sums["replies"], {"2yz": 5 * (3 + 2 * 3), "3yz": 10, "4yz": 0, "5yz": 10})
        self.assertEqual((sums["events_lost"], sums["tls_1_3"]), (0, 0))

    def check_policy(self, message: Dict[str, Any]) -> None:
        (policy,) = message["policies"]
        self.assertEqual((policy["policy"], policy["connections"], policy["outstanding"], policy["waiting"]), ("judge", 2, 0, 0))
        self.assertEqual(policy["breakers"], {"closed": 2, "half_open": 0, "open": 0})
        hooks = policy["hooks"]
        self.assertEqual({name: hook["verdicts"] for name, hook in hooks.items()},
                         {"connect": {"accept": 5}, "mail": {"accept": 10}, "rcpt": {"accept": 10, "reject": 10}})  # fmt: skip
        for hook in hooks.values():
            self.assertEqual(sum(hook["buckets"]), hook["answers"])
            self.assertEqual(sum(hook["verdicts"].values()), hook["answers"])
            self.assertLessEqual(hook["p50_ms"], hook["p99_ms"])

    def check_rest(self, gateway: Gateway, message: Dict[str, Any]) -> None:
        self.assertEqual((message["ready"], message["reasons"]), (True, []))
        self.assertEqual(sorted(worker["pid"] for worker in message["workers"]), sorted(gateway.workers()))
        for worker in message["workers"]:
            self.assertEqual((worker["state"], worker["open"], sum(worker["sessions"].values())), ("serving", 0, 0))
        (delivery,) = message["deliveries"]
        self.assertEqual((delivery["delivery"], delivery["results"], delivery["count"], delivery["running"]), ("place", {"2yz": 10}, 10, 0))
        events = message["events"]
        (subscriber,) = events["subscribers"]
        self.assertEqual((subscriber["name"], subscriber["lag"], subscriber["lost"]), ("test", 0, 0))
        self.assertEqual(events["head"], message["sums"]["events"] + 1)  # gateway.start is the hub's own

    def test_sessions(self) -> None:
        """How many sessions wait for what."""
        with socket_folder() as folder, service_process(f"{folder}/p.sock", WAITS.format(flag=f"{folder}/go")):
            with Gateway(policies={"slow": f"{folder}/p.sock"}, policy_options="    timeout: 60s\n") as gateway, contextlib.ExitStack() as stack:
                gateway.wait_for("policy.service", state="ready")
                clients = [stack.enter_context(gateway.connect()) for _ in range(4)]
                for client in clients:
                    client.start("EHLO client")
                for client in clients[:3]:
                    client.send(b"MAIL FROM:<a@example.org>\r\n")
                self.expect_sessions(gateway, command=1, policy=3)
                self.assertEqual(told(gateway)["policies"][0]["outstanding"], 3)
                open(f"{folder}/go", "w").close()
                for client in clients[:3]:
                    self.assertEqual(client.reply()[:3], "250")
                for line in ("RCPT TO:<b@example.com>", "DATA"):
                    clients[0].say(line)
                self.expect_sessions(gateway, command=3, message=1)
                clients[1].close()
                self.expect_sessions(gateway, command=2, message=1)
                self.assertEqual(told(gateway)["policies"][0]["outstanding"], 0)

    def expect_sessions(self, gateway: Gateway, **expected: int) -> None:
        def found() -> bool:
            (worker,) = told(gateway)["workers"]
            return {word: n for word, n in worker["sessions"].items() if n} == expected and worker["open"] == sum(expected.values())

        wait_until(found, f"sessions {expected}")

    def test_failures_and_lag(self) -> None:
        """A service that is away, and a subscriber that does not read."""
        with Gateway(policies={"away": "/nowhere/p.sock"}, policy_options="    required: true\n    on_failure: accept\n") as gateway:
            with socket.socket(socket.AF_UNIX) as deaf:
                deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                deaf.connect(str(gateway.events_socket))
                deaf.sendall(b'{"type":"subscribe","version":1,"name":"deaf\\u001b"}\n')
                wait_until(lambda: len(told(gateway)["events"]["subscribers"]) == 2, "the subscriber")
                with gateway.connect() as client:
                    client.start("EHLO client")
                    for _ in range(6):
                        client.send(b"NOOP\r\n" * 1000)
                        for _ in range(1000):
                            client.reply()
                deafness = [one for one in told(gateway)["events"]["subscribers"] if one["name"].startswith("deaf")]
                self.assertGreater(deafness[0]["lag"], 0)
                self.assertEqual(told(gateway)["policies"][0]["hooks"]["ehlo"]["failures"], {"unavailable": 1})
                wait_until(lambda: told(gateway)["ready"] is False, "not ready")
                text = status("-s", path_of(gateway)).stdout
                self.assertIn("NOT READY\n  worker 0: required policy away is away\n", text)
                self.assertIn("away: 0 connections", text)

    def test_no_gateway(self) -> None:
        with socket_folder() as folder:
            path = f"{folder}/control.sock"
            self.check_error(status("-s", path), 69, "no gateway runs at")
            with socket.socket(socket.AF_UNIX) as dead:
                dead.bind(path)
            self.check_error(status("-w", "-s", path), 69, "no gateway runs at")
            os.unlink(path)
            self.check_error(status("-s", "/" + "x" * 200), 69, "cannot connect")
            self.check_error(status("-c", f"{folder}/none.yaml"), 66, "none.yaml")
            self.check_error(status("-s", path, "-c", path), 64, "not both")
            self.check_error(status("now"), 64, "too much")

    def check_error(self, result: "subprocess.CompletedProcess[str]", code: int, part: str) -> None:
        self.assertEqual((result.returncode, result.stdout), (code, ""), result.stderr)
        self.assertIn(part, result.stderr)

    def test_foreign(self) -> None:
        """Something else listens there, or nobody answers as a gateway does."""
        with socket_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/c.sock")
            listener.listen()
            for said, code, part in ((b"220 mx ESMTP\r\n", 76, "is no control socket"), (b"", 69, "closed the connection"), (b"{}\n", 76, "is no control socket"),
                                     (b'{"type":"error","fatal":true,"code":"too_many","message":"too many \\u001b"}\n', 69, "refuses: too many \\u001b"),
                                     (b"x" * 1048578, 76, "too long")):  # fmt: skip
                process = subprocess.Popen([PROGRAM, "status", "-s", f"{folder}/c.sock"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                connection, _ = listener.accept()
                with contextlib.suppress(OSError):
                    connection.sendall(said)
                connection.close()
                output, errors = process.communicate(timeout=PATIENCE)
                self.check_error(subprocess.CompletedProcess([], process.returncode, output, errors), code, part)

    def test_permission(self) -> None:
        if os.getuid() != 0:
            self.skipTest("needs root")
        with Gateway(user="nobody") as gateway:
            found = os.stat(path_of(gateway))
            self.assertEqual(found.st_mode & 0o7777, 0o660)
            allowed = ["setpriv", "--clear-groups", f"--reuid={found.st_uid}", f"--regid={found.st_gid}"]
            other = ["setpriv", "--clear-groups", "--reuid=12345", "--regid=12345"]
            for prefix, code in ((allowed, 0), (other, 77)):
                result = subprocess.run([*prefix, PROGRAM, "status", "-s", path_of(gateway)], capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual(result.returncode, code, result.stderr)
            self.assertIn("become root or a member of the socket's group", result.stderr)

    def test_watch_terminal(self) -> None:
        with Gateway() as gateway:
            terminal = Terminal("--watch", "-s", path_of(gateway))
            terminal.wait_for("ready")
            self.load_plain(gateway)
            terminal.wait_for("connections                1")
            wait_until(lambda: len(terminal.frames()) > 3, "three frames")
            for frame in terminal.frames()[1:-1]:
                self.assertLessEqual(frame.count("\n"), 23)
                self.assertTrue(frame.endswith("\033[J"))
            hub = gateway.hub()
            seen = len(terminal.text)
            os.kill(hub, signal.SIGKILL)
            wait_until(lambda: gateway.hub() != hub, "another hub")
            terminal.wait_for("hub 1", seen)  # it has found the new one
            os.write(terminal.fd, b"xq")
            self.assertEqual(terminal.end(), 0)
            interrupted = Terminal("--watch", "-s", path_of(gateway))
            interrupted.wait_for("ready")
            interrupted.process.send_signal(signal.SIGINT)
            self.assertEqual(interrupted.end(), 0)

    def load_plain(self, gateway: Gateway) -> None:
        with gateway.connect() as client:
            client.start("EHLO client", "QUIT")

    @contextlib.contextmanager
    def watching(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        process = subprocess.Popen([PROGRAM, "status", "--watch", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE)
            for pipe in (process.stdout, process.stderr):
                assert pipe is not None
                pipe.close()

    def test_watch_pipe(self) -> None:
        """Lines of JSON, one a second; a hub that dies is waited for, a gateway that stops too, and both are told."""
        with Gateway() as gateway:
            with self.watching("--json", "-s", path_of(gateway)) as process:
                assert process.stdout and process.stderr
                lines, complaints = process.stdout, process.stderr
                first, second = (json.loads(lines.readline()) for _ in range(2))
                self.assertGreaterEqual(second["clock_ms"] - first["clock_ms"], 900)
                os.kill(gateway.hub(), signal.SIGKILL)
                wait_until(lambda: json.loads(lines.readline())["gateway"]["epoch"] != second["gateway"]["epoch"], "the next hub's epoch")
                gateway.stop()
                wait_until(lambda: "No such file or directory; trying again" in complaints.readline(), "a complaint")
                gateway.start()
                self.assertEqual(json.loads(lines.readline())["type"], "status")
                lines.close()  # its reader leaves
                self.assertEqual(process.wait(PATIENCE), 0)

    def test_watch_blocks(self) -> None:
        with Gateway() as gateway, self.watching("-s", path_of(gateway)) as process:
            assert process.stdout
            text = ""
            while text.count("PER S, P50 and P99") < 2:
                text += process.stdout.readline()
            first, second = text.split("\n\nmx.example.com", 1)
            self.assertIn("of the time since the start.", first)
            self.assertRegex(second, r"of the last \d+\.\d s\.")
            self.assertNotIn("\033", text)
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(PATIENCE), 0)


if __name__ == "__main__":
    unittest.main()
