"""Services that die, hang and lie: only their own failure policy applies, and they are told why."""

import os
import pathlib
import signal
import subprocess
import sys
import threading
from typing import Any, Callable, Dict, List

from gateway import ROOT, Client, Gateway, service_process, socket_folder, unittest, wait_until
from liar import Liar, reply
from load import Load

# Leaves a mark in the file ASKED for each question at MAIL, and never answers it; one for each cancellation in CANCELLED.
HANG_AT_MAIL = """
service = gatepost.Service("hang", window=256)
def mark(path):
    with open(path, "ab") as file:
        file.write(b"x")
@service.mail
async def mail(request):
    mark(FOLDER + "/asked")
    try:
        await asyncio.sleep(3600)
    except asyncio.CancelledError:
        mark(FOLDER + "/cancelled")
        raise
@service.rcpt
def rcpt(request):
    return gatepost.accept()
"""

ANSWERS = """
service = gatepost.Service("answers")
@service.mail
def mail(request):
    return gatepost.accept()
"""


def hang_at_mail(folder: pathlib.Path) -> str:
    return f"FOLDER = {str(folder)!r}\n" + HANG_AT_MAIL


def marks(folder: pathlib.Path, name: str) -> int:
    path = folder / name
    return path.stat().st_size if path.exists() else 0


class Killed(unittest.TestCase):
    def test_kill_while_fifty_wait(self) -> None:
        with socket_folder() as folder:
            path = f"{folder}/p.sock"
            with service_process(path, hang_at_mail(folder)) as service, Gateway(
                policies={"p": path}, policy_options="    timeout: 50s\n"
            ) as gateway:
                clients = [gateway.connect() for _ in range(50)]
                for client in clients:
                    client.start("EHLO client")
                    client.send(b"MAIL FROM:<a@example.org>\r\n")
                # All fifty questions are with the service when it dies.
                wait_until(lambda: marks(folder, "asked") == 50, "fifty open questions")
                os.kill(service.pid, signal.SIGKILL)
                service.wait()
                for client in clients:
                    self.assertRegex(client.reply(), r"^451 4\.3\.0 ")
                failures = gateway.wait_for("policy.failure", 50)
                self.assertEqual({event["class"] for event in failures}, {"lost"})
                # The gateway serves on, by its failure policy, and redials when the service is back.
                self.assertRegex(clients[0].say("MAIL FROM:<a@example.org>"), r"^451 4\.3\.0 ")
                os.unlink(path)
                with service_process(path, ANSWERS):
                    gateway.wait_for("policy.service", 2, state="ready")
                    for client in clients:
                        self.assertEqual(client.say("MAIL FROM:<a@example.org>")[:3], "250")
                        self.assertEqual(client.say("QUIT")[:3], "221")
                        client.close()

    def test_kill_one_of_two(self) -> None:
        with socket_folder() as folder:
            first, second = f"{folder}/1.sock", f"{folder}/2.sock"
            with service_process(first, hang_at_mail(folder)) as service, Gateway(
                policies={"p": f"{first}, {second}"}, policy_options="    timeout: 50s\n"
            ) as gateway:
                clients = [gateway.connect() for _ in range(20)]
                for client in clients:
                    client.start("EHLO client")
                    client.send(b"MAIL FROM:<a@example.org>\r\n")
                wait_until(lambda: marks(folder, "asked") == 20, "twenty open questions")
                with service_process(second, ANSWERS):
                    gateway.wait_for("policy.service", socket=second, state="ready")
                    os.kill(service.pid, signal.SIGKILL)
                    for client in clients:
                        self.assertEqual(client.reply()[:3], "250")
                        client.close()
                    self.assertEqual(gateway.events("policy.failure"), [])

    def test_deadline(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", hang_at_mail(folder)):
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options="    timeout: 300ms\n") as gateway:
                with gateway.connect() as client:
                    client.start("EHLO client")
                    self.assertRegex(client.say("MAIL FROM:<a@example.org>"), r"^451 4\.3\.0 .*\([0-9A-Z]{20}\)$")
                    gateway.wait_for("policy.failure", **{"class": "timeout", "action": "tempfail", "hook": "mail"})

    def test_not_there_at_all(self) -> None:
        for action, code in (("tempfail", "421"), ("reject", "554"), ("disconnect", "421"), ("accept", "220")):
            with self.subTest(action=action), socket_folder() as folder:
                with Gateway(policies={"p": f"{folder}/none.sock"}, policy_options=f"    on_failure: {action}\n") as gateway:
                    with gateway.connect() as client:
                        self.assertEqual(client.reply()[:3], code)

    def test_each_class_has_its_action(self) -> None:
        options = (
            "    timeout: 300ms\n    on_failure: disconnect\n    failures:\n"
            "      - {classes: [unavailable], action: reject}\n"
            "      - {hooks: [mail], classes: [timeout], action: accept}\n"
        )
        with socket_folder() as folder:
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options=options) as gateway:
                with gateway.connect() as client:
                    self.assertEqual(client.reply()[:3], "554")
                with service_process(f"{folder}/p.sock", hang_at_mail(folder)) as service:
                    gateway.wait_for("policy.service", state="ready")
                    with gateway.connect() as client:
                        client.start("EHLO client", "MAIL FROM:<a@example.org>", "RSET")
                        gateway.wait_for("policy.failure", **{"class": "timeout", "action": "accept"})
                        os.kill(service.pid, signal.SIGKILL)
                        service.wait()
                        gateway.wait_for("policy.service", state="unavailable", count=2)
                        self.assertEqual(client.say("MAIL FROM:<a@example.org>")[:3], "550")

    def test_client_leaves_while_asked(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", hang_at_mail(folder)):
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options="    timeout: 60s\n") as gateway:
                for number, leave in enumerate((Client.close, Client.reset), 1):
                    client = gateway.connect()
                    client.start("EHLO client")
                    client.send(b"MAIL FROM:<a@example.org>\r\n")
                    wait_until(lambda: marks(folder, "asked") == number, "the question")
                    leave(client)
                    wait_until(lambda: marks(folder, "cancelled") == number, "the cancellation")
                gateway.wait_for("disconnect", 2, reason="client_gone")


class Replaced(unittest.TestCase):
    def test_without_one_failed_decision(self) -> None:
        def program(name: str, folder: pathlib.Path) -> str:
            return f"""
service = gatepost.Service({name!r}, window=256)
@service.mail
async def mail(request):
    with open({str(folder / name)!r}, "ab") as file:
        file.write(b"x")
    await asyncio.sleep(0.05)
    return gatepost.accept()
"""

        with socket_folder() as folder:
            path = f"{folder}/p.sock"
            with service_process(path, program("old", folder)) as old, Gateway(
                policies={"p": path}, policy_options="    timeout: 20s\n"
            ) as gateway:
                with Load(gateway, 20, ["MAIL FROM:<a@example.org>"]) as load:
                    wait_until(lambda: marks(folder, "old") > 200, "some load")
                    os.kill(old.pid, signal.SIGTERM)
                    wait_until(lambda: not os.path.exists(path), "the end of the old socket")
                    with service_process(path, program("new", folder)):
                        wait_until(lambda: marks(folder, "new") > 200, "load for the new process")
                        self.assertEqual(old.wait(10), 0)
                        load.stop()
                        self.assertEqual({text[:3] for text in load.replies}, {"250"})
                        self.assertEqual(gateway.events("policy.failure"), [])
                        # Each question was asked once: none was lost and asked again.
                        self.assertEqual(marks(folder, "old") + marks(folder, "new"), len(load.replies))


class Liars(unittest.TestCase):
    """Every lie ends in 451 4.3.0, or is ignored; the author is told; the next session is not harmed."""

    def lie(self, answer: Callable[[Dict[str, Any]], Any], *, told: str = "", options: str = "    timeout: 10s\n") -> List[Any]:
        """Asks at MAIL in two sessions, until the service has been told of an error with the code `told`; returns [replies, errors told to the service, gateway's failure events]."""
        with socket_folder() as folder:
            self.liar = liar = Liar(f"{folder}/p.sock", ["mail"], answer)
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options=options) as gateway:
                replies = []
                for _ in range(2):
                    wait_until(lambda: liar.registered > len(gateway.events("policy.service", state="unavailable")), "registration")
                    with gateway.connect() as client:
                        client.start("EHLO client")
                        replies.append(client.say("MAIL FROM:<a@example.org>"))
                        self.assertEqual(client.say("NOOP")[:3], "250")
                        self.assertEqual(client.say("QUIT")[:3], "221")
                gateway.wait_for("disconnect", 2, reason="quit")
                wait_until(lambda: not told or told in [error["code"] for error in liar.errors], f"the service to be told {told}")
                liar.close()
                return [replies, liar.errors, gateway.events("policy.failure"), gateway.events("policy.bad_reply")]

    def expect_tempfail(self, answer: Callable[[Dict[str, Any]], Any], code: str) -> None:
        replies, errors, failures, _ = self.lie(answer, told=code, options="    timeout: 10s\n    on_failure: tempfail\n")
        for text in replies:
            self.assertRegex(text, r"^451 4\.3\.0 ")
        self.assertEqual(len(failures), 2)
        self.assertIn(code, [error["code"] for error in errors])

    def test_garbage(self) -> None:
        self.expect_tempfail(lambda request: b"\xff\xfe garbage }{\n", "bad_json")

    def test_depth(self) -> None:
        self.expect_tempfail(lambda request: b"[" * 10000 + b"\n", "bad_json")

    def test_duplicate_keys(self) -> None:
        self.expect_tempfail(
            lambda request: b'{"type":"reply","id":%d,"verdict":"accept","verdict":"reject"}\n' % request["id"], "bad_json"
        )

    def test_crlf_in_text(self) -> None:
        self.expect_tempfail(lambda request: reply(request["id"], text="OK\r\n250 forged"), "bad_reply")

    def test_wrong_class(self) -> None:
        self.expect_tempfail(lambda request: reply(request["id"], code=550), "bad_reply")
        self.expect_tempfail(lambda request: reply(request["id"], verdict="reject", code=550, status="4.7.1"), "bad_reply")

    def test_unknown_verdict(self) -> None:
        self.expect_tempfail(lambda request: reply(request["id"], verdict="yes"), "bad_reply")

    def test_oversized_line(self) -> None:
        self.expect_tempfail(lambda request: b"x" * 1048577 + b"\n", "line_too_long")

    def test_bad_reply_is_never_acceptance(self) -> None:
        replies, errors, failures, bad = self.lie(
            lambda request: reply(request["id"], code=999), options="    timeout: 10s\n    on_failure: accept\n"
        )
        self.assertEqual([text[:9] for text in replies], ["451 4.3.0"] * 2)
        self.assertEqual({failure["class"] for failure in failures}, {"bad_reply"})
        self.assertEqual(len(bad), 2)

    def test_answers_twice(self) -> None:
        replies, errors, failures, bad = self.lie(lambda request: reply(request["id"]) * 2, told="unknown_id")
        self.assertEqual([text[:3] for text in replies], ["250"] * 2)
        self.assertEqual(failures, [])
        self.assertIn("unknown_id", [error["code"] for error in errors])

    def test_unknown_id(self) -> None:
        replies, errors, failures, bad = self.lie(lambda request: reply(request["id"] + 1000) + reply(request["id"]), told="unknown_id")
        self.assertEqual([text[:3] for text in replies], ["250"] * 2)
        self.assertEqual(failures, [])
        self.assertEqual({error["id"] for error in errors if error["code"] == "unknown_id"} > set(), True)

    def test_too_late(self) -> None:
        late = threading.Event()
        held: List[int] = []

        def answer(request: Dict[str, Any]) -> Any:
            held.append(request["id"])
            if len(held) == 1:
                return None
            late.set()
            return reply(held[0]) + reply(request["id"])

        replies, errors, failures, bad = self.lie(answer, options="    timeout: 3s\n")
        self.assertEqual([text[:3] for text in replies], ["451", "250"])
        self.assertTrue(late.is_set())
        self.assertEqual([failure["class"] for failure in failures], ["timeout"])
        # It was told that nobody waits any more, and why; its late reply is no error.
        self.assertEqual([(cancel["ids"], cancel["why"]) for cancel in self.liar.cancels], [([held[0]], "deadline")])
        self.assertEqual(errors, [])

    def test_closes_early_and_half_a_line(self) -> None:
        replies, _, failures, _ = self.lie(lambda request: b'{"type":"reply","id":', options="    timeout: 300ms\n")
        self.assertEqual([text[:9] for text in replies], ["451 4.3.0"] * 2)
        self.assertEqual({failure["class"] for failure in failures}, {"timeout"})


class NoSdk(unittest.TestCase):
    def test_examples_without_sdk(self) -> None:
        with socket_folder() as folder:
            path = f"{folder}/p.sock"
            for command in (
                [sys.executable, str(ROOT / "clients/python/examples/without_sdk.py"), path],
                ["socat", f"UNIX-LISTEN:{path},fork,unlink-early", f"EXEC:{ROOT}/clients/shell/policy.sh"],
            ):
                process = subprocess.Popen(command)
                try:
                    wait_until(lambda: os.path.exists(path), "the service")
                    with Gateway(policies={"p": path}) as gateway, gateway.connect() as client:
                        client.start("EHLO client")
                        self.assertEqual(client.say("MAIL FROM:<spam@example.net>")[:9], "550 5.7.1")
                        self.assertEqual(client.say("MAIL FROM:<ham@example.net>")[:3], "250")
                finally:
                    process.terminate()
                    process.wait(10)
                    os.path.exists(path) and os.unlink(path)


if __name__ == "__main__":
    unittest.main()
