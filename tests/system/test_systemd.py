"""What a service manager sees of gatepost: notifications, the watchdog, sockets that it passes on, the units."""

import contextlib
import os
import pathlib
import queue
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from subprocess import Popen
from typing import List
from unittest import mock

from gateway import PATIENCE, PROGRAM, ROOT, Client, Gateway, free_port, unittest, wait_until
from session_load import wait_stopped

FAULTS = os.environ.get("FAULTS", "")
"""The library that makes calls fail or hang (faults.c)."""
UNITS = ROOT / "deploy" / "systemd"


def pending(pid: int) -> int:
    """The signals that the process has been sent and not seen yet, as bits."""
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"^ShdPnd:\s+(\w+)$", text, re.M)[0], 16)


class Manager:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        # The system keeps few messages, and the sender does not wait.
        self.messages: "queue.Queue[str]" = queue.Queue()
        threading.Thread(target=self._collect, daemon=True).start()

    def _collect(self) -> None:
        with contextlib.suppress(OSError):
            while message := self.socket.recv(4096):
                self.messages.put(message.decode())

    def take(self) -> List[str]:
        return self.messages.get(timeout=PATIENCE).split("\n")

    def next(self) -> List[str]:
        """The next message but those of the watchdog."""
        while True:
            lines = self.take()
            if lines != ["WATCHDOG=1"]:
                return lines

    def next_of(self, word: str) -> None:
        while word not in self.next():
            pass

    def __enter__(self) -> "Manager":
        return self

    def __exit__(self, *unused: object) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Notify(unittest.TestCase):
    def test_a_life(self) -> None:
        gateway = Gateway(workers=2)
        with Manager(gateway.folder) as manager:
            os.environ["NOTIFY_SOCKET"] = str(manager.path)
            self.addCleanup(os.environ.pop, "NOTIFY_SOCKET")
            with gateway:
                self.assertEqual(manager.next(), ["READY=1", "STATUS=2 workers serve"])
                before = time.monotonic_ns() // 1000
                gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
                first, second = manager.next()
                self.assertEqual(first, "RELOADING=1")
                self.assertRegex(second, r"^MONOTONIC_USEC=\d+$")
                self.assertTrue(before <= int(second.partition("=")[2]) <= time.monotonic_ns() // 1000)
                self.assertEqual(manager.next(), ["READY=1", "STATUS=2 workers serve"])
                gateway.config.write_text("nonsense")
                gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
                self.assertEqual(manager.next()[0], "RELOADING=1")
                self.assertEqual(manager.next(), ["READY=1", "STATUS=The last reload was refused: see the log"])
                gateway.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
                self.assertEqual(manager.next()[0], "STOPPING=1")

    def test_no_worker_serves_and_a_reload_is_refused(self) -> None:
        gateway = Gateway(policies={"away": "FOLDER/away.sock"})  # the worker waits for it for two seconds
        with Manager(gateway.folder) as manager, contextlib.ExitStack() as stack:
            self.watched(manager)
            start = threading.Thread(target=gateway.start)
            start.start()
            wait_until(lambda: gateway.log.exists() and "listeners" in gateway.log_text(), "the master")
            stack.push(gateway.__exit__)
            gateway.config.write_text("nonsense")
            gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            while "READY=1" not in (lines := manager.next()):
                pass
            self.assertEqual(lines, ["READY=1", "STATUS=1 workers serve"])
            start.join()

    def watched(self, manager: Manager, **settings: str) -> None:
        """The environment of a gateway that a manager watches, until the test ends."""
        patch = mock.patch.dict(os.environ, {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "200000", **settings})
        patch.start()
        self.addCleanup(patch.stop)

    def wait_for_beats(self, manager: Manager) -> None:
        beats = 0
        while beats < 3:
            message = manager.take()
            self.assertNotIn("READY=1", message)
            beats += message == ["WATCHDOG=1"]

    def test_watchdog(self) -> None:
        gateway = Gateway()
        with Manager(gateway.folder) as manager:
            self.watched(manager)
            with gateway, gateway.connect() as client:
                client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                manager.next_of("READY=1")
                self.wait_for_beats(manager)
                gateway.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
                manager.next_of("STOPPING=1")
                gateway.wait_for("gateway.drain")
                self.wait_for_beats(manager)  # as long as a message is in flight
                self.assertEqual(client.say("hi\r\n.")[:3], "250")

    @unittest.skipUnless(FAULTS, "FAULTS names no library")
    def test_a_reload_that_hangs(self) -> None:
        """The folder of a delivery is on a file system that does not answer."""
        gateway = Gateway()
        with Manager(gateway.folder) as manager:
            faults, asan = gateway.folder / "faults", os.environ.get("ASAN_OPTIONS", "")
            self.watched(manager, LD_PRELOAD=FAULTS, GATEPOST_FAULTS=str(faults), ASAN_OPTIONS=f"{asan}:verify_asan_link_order=0")
            with gateway:
                manager.next_of("READY=1")
                faults.write_text("folder 0 1")
                gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
                manager.next_of("RELOADING=1")
                self.wait_for_beats(manager)
                self.assertEqual(gateway.stop(), 0)
                self.assertIn("the try of the new configuration is given up: the gateway stops", gateway.log_text())


class Activation(unittest.TestCase):
    def start(self, gateway: Gateway, port: int, name: str) -> "subprocess.Popen[bytes]":
        text = gateway.config.read_text()
        gateway.config.write_text(text.replace(f"'127.0.0.1:{gateway.port}'", "'fd:smtp'"))
        with open(gateway.log, "ab") as log:
            return subprocess.Popen(
                ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", f"--fdname={name}", PROGRAM, "serve", "-c", str(gateway.config)],
                stdout=log, stderr=log,
            )  # fmt: skip

    def connect(self, port: int) -> Client:
        """The activator binds in its own time."""

        def attempt() -> object:
            try:
                return Client(port)
            except ConnectionRefusedError:
                return None

        return wait_until(attempt, "the activator")

    def test_all_workers_share_the_socket_that_was_passed(self) -> None:
        gateway, port = Gateway(workers=2), free_port()
        process = self.start(gateway, port, "smtp")
        try:
            with self.connect(port) as first:  # it is this one who makes it start
                first.start("EHLO first", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                self.assertEqual(first.say("hi\r\n.")[:3], "250")
                # A reload keeps it, and the worker that was replaced keeps its session.
                process.send_signal(signal.SIGHUP)
                wait_until(lambda: "the new workers serve" in gateway.log_text(), "the reload")
                with Client(port) as second:
                    second.start("EHLO second")
                self.assertEqual(first.say("NOOP")[:3], "250")
                process.send_signal(signal.SIGTERM)
                self.assertEqual(first.reply()[:9], "421 4.3.2")
            self.assertEqual(process.wait(PATIENCE), 0, gateway.log_text())
            self.assertEqual(len(gateway.stored()), 1)
        finally:
            if process.poll() is None:
                process.kill()
            shutil.rmtree(gateway.folder)

    def test_who_waits_at_a_restart_is_served_after_it(self) -> None:
        gateway = Gateway()
        gateway.config.write_text(gateway.config.read_text().replace(f"'127.0.0.1:{gateway.port}'", "'fd:smtp'"))
        with socket.create_server(("127.0.0.1", gateway.port)) as server, contextlib.ExitStack() as stack:
            command = f"exec env LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=smtp {PROGRAM} serve -c {gateway.config} 3<&{server.fileno()}"
            with mock.patch("gateway.subprocess.Popen", lambda _, **files: Popen(["bash", "-c", command], pass_fds=[server.fileno()], **files)):
                gateway.start()
                # The worker finds the order to stop and the clients at the same time.
                worker = gateway.worker()
                os.kill(worker, signal.SIGSTOP)
                wait_stopped(worker)
                clients = [stack.enter_context(gateway.connect()) for _ in range(3)]
                gateway.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
                wait_until(lambda: pending(worker) & 1 << signal.SIGTERM - 1, "the order")
                os.kill(worker, signal.SIGCONT)
                self.assertEqual(gateway.process.wait(PATIENCE), 0)  # type: ignore[union-attr]
                with gateway:
                    for client in clients:
                        client.start("EHLO client", "NOOP")

    def test_a_name_that_was_not_passed(self) -> None:
        gateway, port = Gateway(), free_port()
        process = self.start(gateway, port, "mail")
        try:
            with self.connect(port):
                self.assertEqual(process.wait(PATIENCE), 78)
            self.assertRegex(
                gateway.log_text(),
                re.escape(str(gateway.config)) + r':\d+: listeners\[0\]\.address: no socket named "smtp" was passed on; .*; passed on: mail\n',
            )
        finally:
            if process.poll() is None:
                process.kill()
            shutil.rmtree(gateway.folder)

    def test_check_is_given_none(self) -> None:
        gateway = Gateway()
        gateway.config.write_text(gateway.config.read_text().replace(f"'127.0.0.1:{gateway.port}'", "'fd:smtp'"))
        result = subprocess.run([PROGRAM, "check", "-c", str(gateway.config)], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        result = subprocess.run([PROGRAM, "serve", "-c", str(gateway.config)], capture_output=True, text=True, timeout=PATIENCE)
        self.assertEqual(result.returncode, 78)
        self.assertIn("passed on: none", result.stderr)


class Units(unittest.TestCase):
    def test_systemd_takes_them(self) -> None:
        with tempfile.TemporaryDirectory(prefix="gatepost.", dir="/var/tmp") as folder:
            for unit in UNITS.iterdir():
                text = unit.read_text().replace("/usr/sbin/gatepost", PROGRAM)
                (pathlib.Path(folder) / unit.name).write_text(text)
            units = sorted(str(path) for path in pathlib.Path(folder).iterdir())
            self.assertEqual(len(units), 2)
            result = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True, timeout=PATIENCE)
            self.assertEqual([line for line in result.stderr.splitlines() if folder in line or "gatepost" in line], [])
            self.assertEqual(result.returncode, 0, result.stderr)


class Installation(unittest.TestCase):
    def test_what_the_unit_names_is_installed(self) -> None:
        build = pathlib.Path(PROGRAM).resolve().parents[1]
        with tempfile.TemporaryDirectory() as folder:
            prefix = pathlib.Path(folder) / "usr"
            subprocess.run(["cmake", "--install", str(build), "--component", "gatepost", "--prefix", str(prefix)], check=True, capture_output=True)
            unit = (prefix / "lib/systemd/system/gatepost.service").read_text()
            programs = re.findall(r"^Exec\w+=(/usr/\S+) (?:check|serve) ", unit, re.M)
            self.assertEqual(len(programs), 2)
            for program in programs:
                said = subprocess.run([folder + program, "--version"], check=True, capture_output=True, text=True).stdout
                self.assertRegex(said, r"\Agatepost \d+\.\d+\.\d+\n\Z")
            for page, section in re.findall(r"man:(\S+)\((\d)\)", unit):
                self.assertTrue((prefix / f"share/man/man{section}/{page}.{section}").exists(), page)
            self.assertTrue((prefix / "lib/systemd/system/gatepost.socket").exists())


if __name__ == "__main__":
    unittest.main()
