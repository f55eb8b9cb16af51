"""Stopping with a load balancer in front, processes that cannot start, the hub's death, the log's file."""

import os
import pathlib
import pwd
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from typing import Tuple

from gateway import PROGRAM, Gateway, free_port, gatepost, unittest, wait_until
from test_processes import deliver


def readiness(port: int) -> Tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=60) as reply:
            return reply.status, reply.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


class Stop(unittest.TestCase):
    def test_readiness_is_red_first_and_a_second_order_skips_the_delay(self) -> None:
        port = free_port()
        with Gateway(extra=f"drain_delay: 1h\nhttp: '127.0.0.1:{port}'\n") as gateway:
            self.assertEqual(readiness(port)[0], 200)
            worker = gateway.worker()
            gateway.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
            status, reasons = wait_until(lambda: (found := readiness(port))[0] != 200 and found, "red")
            self.assertEqual(status, 503)
            self.assertIn("stop", reasons)
            self.assertEqual(deliver(gateway)[:3], "250")
            # Everything is supervised meanwhile, and nothing is reloaded.
            os.kill(worker, signal.SIGKILL)
            gateway.wait_for("gateway.ready", 2)
            gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            wait_until(lambda: "no reload: the gateway stops" in gateway.log_text(), "a word on it")
            self.assertEqual(deliver(gateway)[:3], "250")
            self.assertEqual(gateway.events("gateway.drain"), [])
            with gateway.connect() as client:
                client.start("EHLO client")
                gateway.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
                self.assertEqual(client.reply()[:9], "421 4.3.2")
            self.assertEqual(gateway.process.wait(60), 0)  # type: ignore[union-attr]

    def test_the_whole_group_is_told(self) -> None:
        """As timeout(1) and some container managers do: then workers and hub are told by the master too."""
        if os.getpgrp() != os.getpid():
            os.setpgid(0, 0)
        for _ in range(5):
            with Gateway(workers=3) as gateway:
                gateway.wait_for("gateway.ready", 3)
                before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
                try:
                    os.killpg(0, signal.SIGTERM)
                finally:
                    wait_until(lambda: gateway.process.poll() is not None, "the end")  # type: ignore[union-attr]
                    signal.signal(signal.SIGTERM, before)
                self.assertEqual(gateway.process.wait(60), 0)  # type: ignore[union-attr]
                self.assertNotIn("died of signal", gateway.log_text())

    def test_the_delay_ends_by_itself(self) -> None:
        with Gateway(extra="drain_delay: 200ms\n") as gateway:
            began = time.monotonic()
            self.assertEqual(gateway.stop(), 0)
            self.assertGreater(time.monotonic() - began, 0.2)

    def test_a_stop_right_after_the_start_is_no_fault(self) -> None:
        gateway = Gateway(workers=8)
        for _ in range(5):
            with open(gateway.log, "wb") as log:
                process = subprocess.Popen([PROGRAM, "serve", "-c", str(gateway.config)], stderr=log)
            wait_until(lambda: "8 workers" in gateway.log_text(), "the master")
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(60), 0)
            self.assertNotIn("error:", gateway.log_text())

    def test_the_stop_ends_those_who_retire(self) -> None:
        with Gateway(extra="retire_timeout: 1h\n") as gateway, gateway.connect() as client:
            client.start("EHLO client")
            gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            gateway.wait_for("gateway.drain")
            gateway.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
            self.assertEqual(client.reply()[:9], "421 4.3.2")
            self.assertEqual(gateway.process.wait(60), 0)  # type: ignore[union-attr]


class Supervision(unittest.TestCase):
    def test_who_cannot_start_does_not_spin_and_harms_nobody(self) -> None:
        with Gateway(workers=2) as gateway:
            clients = [gateway.connect() for _ in range(20)]  # of both workers
            for client in clients:
                client.start("EHLO client")
            victim = gateway.workers()[0]
            mail, aside = gateway.folder / "mail", gateway.folder / "aside"
            mail.rename(aside)
            mail.write_text("no folder")
            began = time.monotonic()
            os.kill(victim, signal.SIGKILL)
            wait_until(lambda: gateway.log_text().count("ended with code 73") >= 4, "four starts in vain")
            self.assertGreater(time.monotonic() - began, 0.1 + 0.2 + 0.4)
            replies = [client.say("NOOP")[:3] for client in clients if not is_closed(client)]
            self.assertEqual(set(replies), {"250"})
            self.assertLess(len(replies), 20)
            mail.unlink()
            aside.rename(mail)
            gateway.wait_for("gateway.ready", 3)
            self.assertEqual(deliver(gateway)[:3], "250")
            for client in clients:
                client.close()

    def test_the_hub_dies(self) -> None:
        with Gateway(workers=2) as gateway, gateway.connect() as client:
            client.start("EHLO client")
            subscriber = gatepost.Subscriber(gateway.events_socket, from_="oldest", name="second")
            self.addCleanup(subscriber.close)
            items, epochs = iter(subscriber), set()
            for kill in range(2):
                event = next(item for item in items if isinstance(item, gatepost.Event))
                epochs.add(event.epoch)
                os.kill(gateway.hub(), signal.SIGKILL)
                self.assertEqual(deliver(gateway)[:3], "250")  # mail does not wait
                gateway.wait_for("gateway.start", kill + 2)
                # What a worker had no room for meanwhile is a gap of its own.
                gap = next(item for item in items if isinstance(item, gatepost.Gap) and item.why == "epoch")
                self.assertIsNone(gap.lost)
                self.assertEqual(deliver(gateway)[:3], "250")
            self.assertEqual(client.say("NOOP")[:3], "250")  # the session has seen nothing of it
            gateway.wait_for("message", 1)
            self.assertEqual(len(epochs), 2)
            self.assertEqual(len(gateway.stored()), 4)
            self.assertGreaterEqual(len(gateway.events("GAP", why="epoch")), 2)


def is_closed(client: object) -> bool:
    client.sock.settimeout(0)  # type: ignore[attr-defined]
    try:
        return client.sock.recv(1, 2) == b""  # type: ignore[attr-defined]  # MSG_PEEK
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        client.sock.settimeout(60)  # type: ignore[attr-defined]


class Log(unittest.TestCase):
    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_a_file_that_is_moved_away_where_only_root_may_write(self) -> None:
        with tempfile.TemporaryDirectory(prefix="gatepost.", dir="/var/tmp") as folder:
            os.chmod(folder, 0o700)
            log, moved = pathlib.Path(folder) / "log", pathlib.Path(folder) / "log.1"
            with Gateway(workers=2, user="nobody", extra=f"log: {{file: {log}}}\nretire_timeout: 1h\n") as gateway, gateway.connect() as client:
                client.start("EHLO client")
                self.assertEqual(pwd.getpwuid(os.stat(f"/proc/{gateway.hub()}").st_uid).pw_name, "nobody")
                wait_until(lambda: "accepting connections" in log.read_text(), "the log")
                self.assertEqual(log.stat().st_mode & 0o777, 0o640)
                log.rename(moved)
                gateway.process.send_signal(signal.SIGUSR1)  # type: ignore[union-attr]
                wait_until(lambda: log.exists() and "the log was opened anew" in log.read_text(), "the new file")
                # Each process is made to say something: the hub, the old workers, the new ones.
                with gatepost.Subscriber(gateway.events_socket, from_="oldest", name="rotated") as subscriber:
                    client.say("NOOP")
                    next(iter(subscriber))
                gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
                for word in ("hub info: subscriber", "its sessions go on", "accepting connections", "the new workers serve"):
                    wait_until(lambda: word in log.read_text(), word)
                self.assertTrue(moved.read_text().endswith("the log is opened anew\n"))
                # One that retires is told too.
                (size := log.stat().st_size), log.rename(moved)
                gateway.process.send_signal(signal.SIGUSR1)  # type: ignore[union-attr]
                wait_until(lambda: log.exists() and "the log was opened anew" in log.read_text(), "the new file")
                gateway.stop()
                self.assertEqual(client.reply()[:9], "421 4.3.2")
                self.assertEqual(log.read_text().count("stopping"), 4)  # the master, three workers
                self.assertGreater(moved.stat().st_size, size)
            self.assertEqual(gateway.process.returncode, 0)  # type: ignore[union-attr]

    def test_a_reload_changes_the_file(self) -> None:
        with Gateway() as gateway:
            other = gateway.folder / "other"
            gateway.config.write_text(gateway.config.read_text() + f"log: {{file: {other}, format: json}}\n")
            gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            gateway.wait_for("gateway.reload", ok=True)
            wait_until(lambda: '"message":"reload: the new workers serve' in other.read_text(), "the other file")
            other.unlink()
            gateway.process.send_signal(signal.SIGUSR1)  # type: ignore[union-attr]
            wait_until(other.exists, "the file again")

    def test_a_log_that_cannot_be_opened_anew(self) -> None:
        """The old file has the reason, and goes on."""
        gateway = Gateway(extra="log: {file: FOLDER/mail.log}\n")
        log, moved = gateway.folder / "mail.log", gateway.folder / "mail.log.1"
        with gateway:
            for number, (make, why) in enumerate(((log.mkdir, "Is a directory"), (lambda: os.mkfifo(log), "No such device or address"))):
                log.rename(moved)
                make()
                gateway.process.send_signal(signal.SIGUSR1)  # type: ignore[union-attr]
                wait_until(lambda: f"log.file: {log}: {why}; the log goes on in the old file" in moved.read_text(), why)
                self.assertEqual(deliver(gateway)[:3], "250")
                gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
                gateway.wait_for("gateway.reload", number + 1, ok=False)
                log.rmdir() if log.is_dir() else log.unlink()
                moved.rename(log)

    def test_a_log_that_cannot_be_opened_is_a_reason_not_to_start(self) -> None:
        gateway = Gateway(extra="log: {file: /nonexistent/log}\n")
        with self.assertRaisesRegex(AssertionError, "log.file: /nonexistent/log: No such file"):
            gateway.start()
        self.assertEqual(gateway.process.wait(60), 73)  # type: ignore[union-attr]


if __name__ == "__main__":
    unittest.main()
