"""`gatepost drive` against the example services, and against services that break the protocol."""

import contextlib
import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import threading
from typing import Any, Callable, Dict, Iterator, List, Optional

from gateway import PATIENCE, PROGRAM, ROOT, socket_folder, unittest, wait_until

from gatepost import wire

EXAMPLES = ROOT / "clients/python/examples"
LISTED = ["--block", "spam@example.net", "--block", "@bad.example", "--block", "192.0.2.7", "--recipient", "alice@example.com"]
COMMANDS = {
    "blocklist": [sys.executable, str(EXAMPLES / "blocklist.py"), "SOCKET", *LISTED],
    "without_sdk": [sys.executable, str(EXAMPLES / "without_sdk.py"), "SOCKET"],
    "shell": ["socat", "UNIX-LISTEN:SOCKET,fork", f"EXEC:{ROOT}/clients/shell/policy.sh"],
}
MODES = ["half-line", "garbage", "close", "unknown-type", "duplicate-id"]
SPAM = (
    '{"hook":"mail","args":{"address":"Spam@example.net"},"expect":{"verdict":"reject","code":550,"status":"5.7.1","text":"Go"}}\n'
    '{"hook":"mail","args":{"address":"ham@example.net"},"expect":{"verdict":"accept"},"repeat":3}\n'
)
REGISTER = {"type": "register", "version": 1, "hooks": {"mail": {}, "rcpt": {}, "disconnect": {}}, "window": 4}
Answer = Callable[[Dict[str, Any]], Optional[bytes]]


def drive(path: str, *arguments: str, file: Any = None, script: Optional[str] = None) -> "subprocess.CompletedProcess[str]":
    """script: text for standard input. file: the name of a script."""
    command = [PROGRAM, "drive", *arguments, path]
    if file or script is not None:
        command.append(str(file or "-"))
    return subprocess.run(command, input=script or "", capture_output=True, text=True, timeout=PATIENCE)


@contextlib.contextmanager
def example(name: str) -> Iterator[str]:
    with socket_folder() as folder:
        path = f"{folder}/p.sock"
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "clients/python")}
        command = [part.replace("SOCKET", path) for part in COMMANDS[name]]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: pathlib.Path(path).exists(), "the socket of the service")
            yield path
        finally:
            process.terminate()
            process.wait(PATIENCE)


class Liar:
    """A service in this process: its register, and for each request the octets that `answer` makes; None closes.

    What it gets is held against the checks of the Python package, which are those of a strict service.
    """

    def __init__(self, path: str, answer: Answer, register: Any = REGISTER) -> None:
        self.answer, self.register = answer, register
        self.messages: List[Dict[str, Any]] = []
        self.wrong: List[str] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=(self._listener.accept()[0],), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):
            for line in sock.makefile("rb"):
                message = wire.decode(line)
                assert message
                try:
                    wire.check(message)
                except wire.WireError as error:
                    self.wrong.append(f"{error}: {line!r}")
                self.messages.append(message)
                octets: Optional[bytes] = b""
                if message["type"] == "hello":
                    octets = self.register if isinstance(self.register, bytes) else wire.encode(self.register)
                elif message["type"] == "request":
                    octets = self.answer(message)
                if octets is None:
                    return
                sock.sendall(octets)

    def close(self) -> None:
        self._listener.close()


@contextlib.contextmanager
def liar(answer: Answer, register: Any = REGISTER) -> Iterator["tuple[str, Liar]"]:
    with socket_folder() as folder:
        service = Liar(f"{folder}/p.sock", answer, register)
        try:
            yield f"{folder}/p.sock", service
        finally:
            service.close()


def reply(request: Dict[str, Any], **fields: Any) -> bytes:
    if "id" not in request:
        return b""
    return wire.encode({"type": "reply", "id": request["id"], "verdict": "accept", **fields})


class Scripts(unittest.TestCase):
    def test_the_example_script(self) -> None:
        with example("blocklist") as path:
            result = drive(path, file=EXAMPLES / "blocklist.jsonl")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(': connect: reject 554 5.7.1 "Your address is blocked here" (client_blocked)\n', result.stdout)
            self.assertEqual(len(re.findall(r": rcpt: reject 550 5\.1\.1 ", result.stdout)), 100)
            self.assertIn("the service has closed\n", result.stdout)
            quiet = drive(path, "-q", file=EXAMPLES / "blocklist.jsonl")
            self.assertEqual((quiet.returncode, quiet.stdout, quiet.stderr), (0, "", ""))

    def test_without_sdk_and_shell(self) -> None:
        for name in ("without_sdk", "shell"):
            with self.subTest(service=name), example(name) as path:
                result = drive(path, script=SPAM)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual(result.stdout.count("2: mail: accept\n"), 3)

    def test_without_a_script(self) -> None:
        with example("blocklist") as path:
            result = drive(path)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            rcpt = 'rcpt: reject 550 5.1.1 "No such mailbox" (unknown_recipient)\n'
            self.assertEqual(result.stdout, f"connect: accept\nmail: accept\n{rcpt}")

    def test_expectations_that_fail(self) -> None:
        script = (
            '{"hook":"mail","args":{"address":"spam@example.net"},"expect":{"verdict":"accept"}}\n\n'
            '{"hook":"mail","expect":{"verdict":"accept"}}\n'
            '{"hook":"mail","args":{"address":"spam@example.net"},"expect":{"code":550,"status":"5.7.2"}}\n'
            '{"hook":"mail","args":{"address":"spam@example.net"},"expect":{"text":"go"}}\n'
            '{"hook":"mail","args":{"address":"spam@example.net"},"expect":{"reason":"spam"}}\n'
            '{"hook":"rcpt","expect":{"verdict":"accept"}}\n'
            '{"hook":"data"}\n'
        )
        with example("without_sdk") as path:
            result = drive(path, "-q", script=script)
        found = 'found reject 550 5.7.1 "Go away"\n'
        self.assertEqual(result.returncode, 1)
        self.assertEqual(
            result.stderr,
            f"standard input:1: mail: expected accept, {found}"
            f"standard input:4: mail: expected any verdict 550 5.7.2, {found}"
            f'standard input:5: mail: expected any verdict "go", {found}'
            f"standard input:6: mail: expected any verdict (spam), {found}"
            "standard input:7: rcpt: expected accept, found that the service has not registered it\n"
            "gatepost drive: expectations not met: 5, replies: 5\n",
        )

    def test_expected_close_that_does_not_come(self) -> None:
        with liar(reply) as (path, _):
            result = drive(path, "-t", "2", script='{"hook":"mail"}\n{"expect_close":true}\n{"hook":"rcpt"}\n')
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard input:2: line: expected that the service closes, found an open connection\n", result.stderr)
        self.assertEqual(result.stdout, "1: mail: accept\n3: rcpt: accept\n")

    def test_replies_in_any_order(self) -> None:
        held: List[bytes] = []

        def backwards(request: Dict[str, Any]) -> bytes:
            held.append(reply(request, verdict="reject", code=500 + request["id"], status="5.0.0"))
            if len(held) < 4:
                return b""
            octets = b"".join(reversed(held))
            held.clear()
            return octets

        lines = [f'{{"hook":"mail","expect":{{"verdict":"reject","code":{500 + n}}}}}\n' for n in range(1, 9)]
        with liar(backwards) as (path, service):
            result = drive(path, script='{"pipeline":true}\n' + "".join(lines))
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(service.wrong, [])
        self.assertEqual([line.split(":")[0] for line in result.stdout.splitlines()], list("54329876"))

    def test_no_deadlock_with_full_sockets(self) -> None:
        """The service writes each reply before it reads on, and both sides have more to say than the sockets hold."""
        text = ["x" * 480] * 10
        lines = '{"pipeline":true}\n' + json.dumps({"hook": "mail", "args": {"x_more": "y" * 60000}, "repeat": 600}) + "\n"
        with liar(lambda r: reply(r, text=text), {**REGISTER, "window": 256}) as (path, service):
            result = drive(path, "-t", "20", "-q", script=lines)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertEqual(len([m for m in service.messages if m["type"] == "request"]), 600)

    def test_raw_lines(self) -> None:
        with liar(reply) as (path, service):
            request = {"type": "request", "id": 77, "key": "k", "hook": "rcpt", "session": "S"}
            steps = [
                {"raw": json.dumps(request), "id": 77, "expect": {"verdict": "accept"}},
                {"raw": '{"type":"cancel","ids":[77],"why":"deadline"}'},
            ]
            result = drive(path, script="".join(json.dumps(step) + "\n" for step in steps))
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "1: line: accept\n", ""))
            sent = [message for message in service.messages if message["type"] in ("request", "cancel")]
            self.assertEqual(sent, [request, {"type": "cancel", "ids": [77], "why": "deadline"}])

    def test_every_request_keeps_the_protocol(self) -> None:
        hooks = ["connect", "ehlo", "starttls", "secure", "auth", "mail", "rcpt", "data", "message", "disconnect"]
        for body in ([], ["headers"], ["inline", "path"], ["path"]):
            register = {**REGISTER, "hooks": {hook: {} for hook in hooks}, **({"body": body} if body else {})}
            contents: List[bytes] = []

            def answer(request: Dict[str, Any], read: List[bytes] = contents) -> bytes:
                mode = request["args"].get("body", {})
                if "path" in mode:
                    spool = next(m["spool"] for m in service.messages if m["type"] == "ready")
                    read.append(pathlib.Path(spool, mode["path"]).read_bytes())
                return reply(request)

            with self.subTest(body=body), liar(answer, register) as (path, service):
                result = drive(path)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertEqual(result.stdout, "".join(f"{hook}: accept\n" for hook in hooks[:-1]) + "disconnect: told\n")
                wait_until(lambda: len([m for m in service.messages if m["type"] == "request"]) == len(hooks), "all requests")
                self.assertEqual(service.wrong, [])
                self.assertEqual(len(contents), body == ["path"])
                spool = [m["spool"] for m in service.messages if m["type"] == "ready"][0]
                self.assertEqual(spool is not None, "path" in body)
                self.assertFalse(spool and pathlib.Path(spool).exists())

    def test_bad_scripts(self) -> None:
        with liar(reply) as (path, service), socket_folder() as folder:
            script = pathlib.Path(folder) / "s.jsonl"
            script.write_text('{"hook":"mail"}\n# fine\n{"hook":"mail","expect":{"verdikt":"accept"}}\n')
            result = drive(path, file=script)
            self.assertEqual((result.returncode, result.stdout), (65, ""))
            self.assertIn(f'{script}:3: expect has no key "verdikt": use ', result.stderr)
            self.assertEqual(service.messages, [])  # a file is read before anything is sent
            result = drive(path, script='{"hook":"mail"}\n{"hook":"mial"}\n')
            self.assertEqual((result.returncode, result.stdout), (65, "1: mail: accept\n"))
            self.assertIn('standard input:2: unknown hook "mial"\n', result.stderr)
            result = drive(path, file="nowhere.jsonl")
            self.assertEqual(result.returncode, 66)

    def test_usage(self) -> None:
        for arguments in (["--measure", "--break", "close"], ["--break", "nothing"], ["--count", "1"], ["--hook", "mail"],
                          ["--measure", "--count", "0"], ["--measure", "--hook", "disconnect"], ["-t", "-1"],
                          ["-t", "x"], ["--measure", "--window", "257"]):  # fmt: skip
            self.assertEqual(drive("/nowhere", *arguments).returncode, 64, arguments)
        result = drive("/nowhere/p.sock")
        self.assertEqual(result.returncode, 69)
        self.assertIn("cannot connect to /nowhere/p.sock: No such file", result.stderr)
        self.assertEqual(drive("x" * 200).returncode, 69)
        shown = subprocess.run([PROGRAM, "drive", "--help"], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(shown.returncode, 0)
        for word in ("expect_close", "pipeline", "raw", "--measure", *MODES):
            self.assertIn(word, shown.stdout)


class Breaches(unittest.TestCase):
    def breach(self, answer: Answer, rule: str, register: Any = REGISTER, script: str = '{"hook":"mail"}\n') -> None:
        with self.subTest(rule=rule), liar(answer, register) as (path, _):
            # Short only where the wait itself is tested: the machine may be slow.
            result = drive(path, "-t", "0.5" if "within 0.5 s" in rule else "20", script=script)
            self.assertEqual(result.returncode, 76, result.stdout + result.stderr)
            self.assertIn("gatepost drive: the service breaks the protocol: ", result.stderr)
            self.assertIn(rule, result.stderr)

    def test_replies(self) -> None:
        self.breach(lambda r: b"garbage\n", "bad_json: not a strict JSON object")
        self.breach(lambda r: b'{"type":"reply","id":1,"id":1,"verdict":"accept"}\n', "bad_json: ")
        self.breach(lambda r: b'{"type":"reply","verdict":"accept"}\n', 'bad_message: "id" must be an integer')
        self.breach(lambda r: reply(r, id=r["id"] + 1), "unknown_id: a reply with id 2, and no such request is open")
        self.breach(lambda r: reply(r, verdict="ok"), 'bad_reply: reply to request 1: unknown verdict "ok"')
        self.breach(lambda r: reply(r, verdict="reject", code=450), "bad_reply: reply to request 1: ")
        self.breach(lambda r: reply(r, text="a\r\n250 b"), "bad_reply: reply to request 1: ")
        self.breach(lambda r: b"", "no reply to a request within 0.5 s")
        self.breach(lambda r: b'{"type":"x_unknown"}\n', "no reply to a request within 0.5 s")
        self.breach(lambda r: None, "it closed the connection and owes a reply")
        self.breach(lambda r: b"x" * 1048578, "line_too_long")
        self.breach(lambda r: reply(r) * 2, "more than one reply")
        self.breach(lambda r: reply(r) * 2, "unknown_id: a reply with id 1", script='{"hook":"mail"}\n' * 2)
        self.breach(lambda r: reply({"id": 9}), "more than one reply", script='{"hook":"disconnect"}\n')

    def test_register(self) -> None:
        self.breach(reply, "no register within 0.5 s", b"")
        self.breach(reply, "register: bad_json: ", b"hello\n")
        self.breach(reply, "register: unknown_hook: ", {**REGISTER, "hooks": {"vrfy": {}}})
        self.breach(reply, "register: version: version 2 is not known", {**REGISTER, "version": 2})
        with liar(reply, {**REGISTER, "body": ["inline"]}) as (path, service):
            self.assertEqual(drive(path).returncode, 76)
            wait_until(lambda: any(m.get("code") == "body_no_fallback" for m in service.messages), "the error to the author")

    def test_closed_at_once(self) -> None:
        with socket_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"{folder}/p.sock")
            listener.listen()
            thread = threading.Thread(target=lambda: listener.accept()[0].close())
            thread.start()
            result = drive(f"{folder}/p.sock")
            thread.join()
        self.assertEqual(result.returncode, 76)
        self.assertIn("it closed the connection before its register", result.stderr)


class Breaking(unittest.TestCase):
    def test_examples_bear_everything(self) -> None:
        for name in COMMANDS:
            with example(name) as path:
                for mode in MODES:
                    with self.subTest(service=name, mode=mode):
                        result = drive(path, "-t", "20", "--break", mode)
                        self.assertEqual((result.returncode, result.stderr), (0, ""))
                        self.assertTrue(result.stdout.startswith(f"{mode}: "), result.stdout)
                        self.assertTrue(result.stdout.endswith("new connection: the service answers: accept\n"), result.stdout)

    def test_what_is_reported(self) -> None:
        with example("blocklist") as path:
            self.assertIn("garbage: the service closed the connection\n", drive(path, "--break", "garbage").stdout)
            twice = drive(path, "--break", "duplicate-id", "--hook", "rcpt").stdout
            # Whether the first request is still open when the second is read is up to the service.
            self.assertRegex(twice, r"^(duplicate-id: the service (replied to 1: reject|closed the connection)\n){1,2}new connection: ")
            unknown = drive(path, "--break", "unknown-type").stdout
            self.assertIn("unknown-type: the service replied to 1: accept\n", unknown)
            other = drive(path, "--break", "close", "--hook", "data")
            self.assertEqual(other.returncode, 64)
            self.assertIn("has not registered data", other.stderr)

    def faulty(self, path: str, mode: str) -> str:
        result = drive(path, "-t", "2", "--break", mode)
        self.assertEqual(result.returncode, 76, result.stdout)
        return result.stderr

    def test_services_that_do_not_bear_it(self) -> None:
        with silent_service() as path:
            self.assertIn("a line that is no JSON ends the connection", self.faulty(path, "garbage"))
            self.assertIn("a message of an unknown type is to be ignored", self.faulty(path, "unknown-type"))
        with silent_service(once=True) as path:
            result = drive(path, "-t", "2", "--break", "close")
            self.assertEqual(result.returncode, 69, result.stdout)


@contextlib.contextmanager
def silent_service(once: bool = False) -> Iterator[str]:
    """A service that registers, and then reads whatever comes and answers nothing; `once`: to one connection only."""
    with socket_folder() as folder, socket.socket(socket.AF_UNIX) as listener:
        path = f"{folder}/p.sock"
        listener.bind(path)
        listener.listen()

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    sock, _ = listener.accept()
                    if once:  # before the register, so that no second connection waits in the backlog
                        listener.close()
                    with sock:
                        next(lines := sock.makefile("rb"))
                        sock.sendall(wire.encode(REGISTER))
                        lines.read()

        threading.Thread(target=serve, daemon=True).start()
        yield path


class Measuring(unittest.TestCase):
    def test_table(self) -> None:
        with example("without_sdk") as path:
            result = drive(path, "--measure", "--count", "500", "--window", "16")
            one = drive(path, "--measure", "--count", "1", "--window", "1", "--hook", "mail")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        head, *rows = [line.split() for line in result.stdout.splitlines()]
        self.assertEqual(head, "hook window requests per second p50 us p99 us".split())
        self.assertEqual([row[:3] for row in rows], [["mail", "1", "500"], ["mail", "16", "500"]])
        for row in rows:
            rate, median, slow = map(int, row[3:])
            self.assertGreater(rate, 0)
            self.assertTrue(0 < median <= slow, row)
        self.assertEqual(len(one.stdout.splitlines()), 2)

    def test_window_of_the_service_is_kept(self) -> None:
        with liar(reply) as (path, service):
            result = drive(path, "--measure", "--count", "100", "--window", "200", "--hook", "rcpt")
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(service.wrong, [])
        self.assertEqual(result.stdout.splitlines()[2].split()[:2], ["rcpt", "4"])

    def test_breach_while_measuring(self) -> None:
        with liar(lambda r: reply(r, id=1)) as (path, _):
            result = drive(path, "--measure", "--count", "10")
        self.assertEqual(result.returncode, 76)
        self.assertIn("unknown_id: a reply with id 1", result.stderr)


if __name__ == "__main__":
    unittest.main()
