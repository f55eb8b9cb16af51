"""Processes and the command line: privileges, restarts, stopping, errors that say what to do."""

import os
import pathlib
import pwd
import signal
import socket
import subprocess
from subprocess import Popen
from typing import Any, List
from unittest import mock

from gateway import PROGRAM, Gateway, unittest, wait_until


def status(pid: int, field: str) -> str:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return line.partition(":")[2].strip()
    raise AssertionError(field)


def deliver(gateway: Gateway) -> str:
    with gateway.connect() as client:
        client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
        return client.say("Subject: x\r\n\r\nhi\r\n.")


class Processes(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_privileges_are_dropped(self) -> None:
        uid = pwd.getpwnam("nobody").pw_uid
        with Gateway(user="nobody", workers=2) as gateway:
            children = gateway.children()
            self.assertEqual(len(children), 3)
            for pid in children:
                self.assertEqual(status(pid, "Uid").split(), [str(uid)] * 4)
                self.assertEqual(status(pid, "CapEff"), "0" * 16)
                self.assertEqual(status(pid, "NoNewPrivs"), "1")
            self.assertEqual(deliver(gateway)[:3], "250")
            self.assertEqual(gateway.stored()[0].stat().st_uid, uid)

    def test_the_soft_limit_of_descriptors_is_no_limit(self) -> None:
        def start(command: List[str], **files: Any) -> "Popen[bytes]":
            return Popen(["prlimit", "--nofile=16:4096", *command], **files)

        with mock.patch("gateway.subprocess.Popen", start), Gateway(workers=4) as gateway:
            wait_until(lambda: len(gateway.workers()) == 4, "four workers")
            self.assertEqual(deliver(gateway)[:3], "250")

    def test_worker_and_hub_are_replaced(self) -> None:
        with Gateway() as gateway:
            self.assertEqual(deliver(gateway)[:3], "250")
            hub, worker = gateway.hub(), gateway.worker()
            os.kill(worker, signal.SIGKILL)
            gateway.wait_for("gateway.ready", 2)
            self.assertEqual(deliver(gateway)[:3], "250")
            os.kill(hub, signal.SIGKILL)
            # The subscriber reconnects by itself; mail goes on meanwhile.
            self.assertEqual(deliver(gateway)[:3], "250")
            gateway.wait_for("gateway.start", 2)
            self.assertEqual(deliver(gateway)[:3], "250")
            wait_until(lambda: len(gateway.children()) == 2, "both processes")
            self.assertEqual(len(gateway.stored()), 4)

    def test_children_end_with_the_master(self) -> None:
        gateway = Gateway()
        with self.assertRaises(AssertionError), gateway:
            children = gateway.children()
            gateway.process.kill()  # type: ignore[union-attr]
            wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children), "the end of the children")

    def test_a_second_one_takes_nothing_from_the_first(self) -> None:
        with Gateway() as gateway, gateway.connect() as client:
            spool = gateway.folder / "spool"
            client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
            client.send(b"x" * 70 + b"\r\n")
            for _ in range(40):
                client.send((b"x" * 70 + b"\r\n") * 1000)
            before = wait_until(lambda: os.listdir(spool), "a message in the spool")
            second = subprocess.run([PROGRAM, "serve", "-c", str(gateway.config)], capture_output=True, text=True, timeout=60)
            self.assertEqual(second.returncode, 73)
            self.assertIn("another process is listening", second.stderr)
            self.assertEqual(os.listdir(spool), before)
            self.assertEqual(client.say(".")[:3], "250")

    def test_stop_finishes_the_message_in_flight(self) -> None:
        with Gateway() as gateway:
            idle, busy = gateway.connect(), gateway.connect()
            idle.start("EHLO idle")
            busy.start("EHLO busy", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
            busy.send(b"Subject: in flight\r\n\r\n")
            gateway.wait_for("data", 1)
            gateway.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
            self.assertEqual(idle.reply()[:9], "421 4.3.2")
            self.assertEqual(idle.reply(), "")
            with self.assertRaises(OSError), socket.create_connection(("127.0.0.1", gateway.port), 5) as late:
                late.recv(1)
            self.assertRegex(busy.say("the end\r\n."), r"^250 2\.0\.0 OK id=")
            self.assertEqual(busy.reply()[:9], "421 4.3.2")
            self.assertEqual(gateway.process.wait(30), 0)  # type: ignore[union-attr]
            self.assertEqual(len(gateway.stored()), 1)
            self.assertFalse(gateway.events_socket.exists())
            idle.close()
            busy.close()

    def test_what_a_dead_worker_left_is_swept(self) -> None:
        with Gateway(workers=2) as gateway:
            spool = gateway.folder / "spool"
            clients = []
            # Which worker a connection falls to is the kernel's choice; each needs one.
            while len({entry.name.partition("-")[0] for entry in spool.iterdir()}) < 2:
                client = gateway.connect()
                clients.append(client)
                client.start("EHLO x", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                client.send((b"y" * 78 + b"\r\n") * 4000)
                wait_until(lambda: len(list(spool.iterdir())) == len(clients), "its spool file")
            first, other = {int(entry.name.partition("-")[0]) for entry in spool.iterdir()}
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: not list(spool.glob(f"{first}-*")), "the end of its files")
            self.assertTrue(list(spool.glob(f"{other}-*")))
            for client in clients:
                client.close()

    def test_what_a_replaced_worker_left_is_swept(self) -> None:
        with Gateway() as gateway, gateway.connect() as client:
            spool = gateway.folder / "spool"
            client.start("EHLO x", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
            client.send((b"y" * 78 + b"\r\n") * 4000)
            (name,) = wait_until(lambda: [entry.name for entry in spool.iterdir()], "a spool file")
            gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            gateway.wait_for("gateway.ready", 2)
            self.assertTrue((spool / name).exists())
            os.kill(int(name.partition("-")[0]), signal.SIGKILL)
            wait_until(lambda: not list(spool.iterdir()), "the end of its file")
            self.assertEqual(deliver(gateway)[:3], "250")

    def test_leftovers_are_swept_at_start(self) -> None:
        with Gateway() as gateway:
            spool = gateway.folder / "spool"
            gateway.stop()
            for name in ("1-01JD9Z8K3X7F4Y5N0001.eml", "1-01JD9Z8K3X7F4Y5N0001-2.eml", "mine.eml"):
                (spool / name).write_text("x")
            gateway.start()
            self.assertEqual([entry.name for entry in spool.iterdir()], ["mine.eml"])


class CommandLine(unittest.TestCase):
    def run_program(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, timeout=60)

    def test_usage(self) -> None:
        for arguments, code, text in (
            ((), 64, "Usage: gatepost COMMAND"),
            (("serv",), 64, 'there is no command "serv"'),
            (("serve",), 64, "name the configuration"),
            (("serve", "-c", "/nonexistent.yaml"), 66, "/nonexistent.yaml"),
            (("check", "-c", "/nonexistent.yaml"), 66, "/nonexistent.yaml"),
            (("events", "--socket", "/nonexistent.sock"), 69, "/nonexistent.sock"),
        ):
            with self.subTest(arguments=arguments):
                result = self.run_program(*arguments)
                self.assertEqual(result.returncode, code, result.stderr)
                self.assertIn(text, result.stderr)
                self.assertEqual(result.stdout, "")

    def test_help_and_version(self) -> None:
        self.assertRegex(self.run_program("--version").stdout, r"^gatepost \d+\.\d+\.\d+\n$")
        for command in ([], ["serve"], ["check"], ["events"]):
            result = self.run_program(*command, "--help")
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn("sage: gatepost", result.stdout)

    def test_what_cannot_start_says_why(self) -> None:
        cases = {
            "certificate does not match": lambda g: (g.folder / "key.pem").write_text((g.folder / "cert.pem").read_text()),
            "port in use": lambda g: g.config.write_text(g.config.read_text().replace(str(g.tls_port), str(g.port))),
            "no such account": lambda g: g.config.write_text(g.config.read_text().replace("user: root", "user: nobody-here")),
            "spool is a file": lambda g: (g.folder / "spool").write_text(""),
            "maildir is a file": lambda g: (g.folder / "mail").write_text(""),
        }
        for name, spoil in cases.items():
            with self.subTest(name=name):
                gateway = Gateway()
                spoil(gateway)
                result = self.run_program("serve", "-c", str(gateway.config))
                self.assertIn(result.returncode, (73, 78), result.stderr)
                self.assertIn(str(gateway.folder) if "file" in name or "cert" in name else "", result.stderr)
                self.assertNotIn("Sanitizer", result.stderr)
                self.assertFalse(gateway.events_socket.exists())


if __name__ == "__main__":
    unittest.main()
