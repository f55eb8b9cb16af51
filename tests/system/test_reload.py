"""Reload and crash under load: no client is refused, no session breaks that need not, no message is lost.

GATEPOST_TURNS=200 makes more reloads and crashes.
"""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import time
from typing import Any, Iterator, List, Set

from gateway import PROGRAM, Client, Gateway, free_port, unittest, wait_until
from session_load import SessionLoad, client_ports, wait_stopped

TURNS = int(os.environ.get("GATEPOST_TURNS", "20"))
SESSIONS = 200
MOST_PROCESSES = 7
"""A worker has eight places for old and new processes; the test leaves one free, so that nobody is told to hurry."""


def can_connect(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 60):
            return True
    except ConnectionRefusedError:
        return False


class Changing:
    """A gateway whose configuration changes."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway
        self.text = gateway.config.read_text()
        self.extra_port = free_port()
        self.done = self.refused = 0

    def write(self, workers: int = 2, size: str = "25M", extra: bool = False, top: str = "") -> None:
        text = self.text.replace("workers: 2\n", f"workers: {workers}\n{top}")
        text = text.replace("limits: {", f"limits: {{message_size: {size}, ")
        if extra:
            mx = text[text.index("  - name: mx\n") : text.index("  - name: mxs\n")]
            mx = mx.replace("name: mx\n", "name: extra\n").replace(str(self.gateway.port), str(self.extra_port))
            text = text.replace("  - name: mxs\n", mx + "  - name: mxs\n")
        self.gateway.config.write_text(text)

    def signal(self) -> None:
        self.gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]

    def reload(self, **settings: Any) -> None:
        """Returns when the new workers serve and the old ones have been told."""
        self.write(**settings)
        self.done += 1
        self.signal()
        self.gateway.wait_for("gateway.reload", self.done, ok=True)
        wait_until(lambda: self.gateway.log_text().count("the new workers serve") == self.done, "the new workers")

    def refuse(self) -> str:
        """Reloads what was written; it must be refused. Returns the event's message."""
        self.refused += 1
        self.signal()
        return self.gateway.wait_for("gateway.reload", self.refused, ok=False)[-1]["message"]

    def size(self) -> str:
        """What EHLO tells a new session."""
        with self.gateway.connect() as client:
            client.reply()
            client.send(b"EHLO client\r\n")
            lines: List[bytes] = []
            while not lines or lines[-1][3:4] == b"-":
                lines.append(client._file.readline())
            return next(line[9:].strip().decode() for line in lines if line[4:8] == b"SIZE")


@contextlib.contextmanager
def loaded(**options: Any) -> Iterator[Any]:
    """A gateway, its changes and a load that has begun; at the end, what was answered with 250 must be there once."""
    with Gateway(workers=2, limits="connections_per_client: 10000", **options) as gateway:
        with SessionLoad(gateway, SESSIONS) as load:
            wait_until(lambda: len(load.accepted) >= SESSIONS, "mail to flow")
            yield gateway, Changing(gateway), load
        load.check_stored()


class UnderLoad(unittest.TestCase):
    def setUp(self) -> None:
        self.began = time.monotonic()

    def report(self, what: str, load: SessionLoad) -> None:
        print(f"{TURNS} {what} in {time.monotonic() - self.began:.0f} s: {len(load.accepted)} messages in {len(load.ended)} sessions,"
              f" {len(load.broken())} of them broken", flush=True)  # fmt: skip

    def test_reloads(self) -> None:
        with loaded(extra="retire_timeout: 1h\n") as (gateway, changing, load):
            for turn in range(TURNS):
                wait_until(lambda: len(gateway.workers()) <= MOST_PROCESSES, "old workers to end")
                extra, size, before = turn % 3 == 1, str(1000000 + turn), len(load.accepted)
                changing.reload(workers=1 + turn % 3, size=size, extra=extra)
                wait_until(lambda: changing.size() == size, "the new setting")
                wait_until(lambda: can_connect(changing.extra_port) == extra, f"a listener that is {'there' if extra else 'gone'}")
                wait_until(lambda: len(load.accepted) > before + 50, "mail to flow")
        self.report("reloads", load)
        self.assertEqual((load.refused, [session.end for session in load.broken()]), ([], []))

    def crash(self, gateway: Gateway, victim: int) -> Set[int]:
        """Kills a worker; returns the clients' ports of the sessions that it had."""
        ready = len(gateway.events("gateway.ready"))
        # A process that is stopped takes no client and ends none, so it is known whom its end may break.
        os.kill(victim, signal.SIGSTOP)
        wait_stopped(victim)
        theirs = client_ports(victim, gateway.port)
        os.kill(victim, signal.SIGKILL)
        gateway.wait_for("gateway.ready", ready + 1)
        return theirs

    def test_crashes(self) -> None:
        chance, theirs = random.Random(7), set()
        with loaded(extra="retire_timeout: 1h\n") as (gateway, changing, load):
            for turn in range(TURNS):
                theirs |= self.crash(gateway, chance.choice(sorted(gateway.workers())))
                before = len(load.accepted)
                wait_until(lambda: len(load.accepted) > before + 50, "mail to flow")
                if turn % 5 == 4:  # new workers have died never: the next death is no longer followed by a long pause
                    changing.reload()
                    wait_until(lambda: len(gateway.workers()) == 2, "old workers to end")
        self.report("crashes", load)
        self.assertEqual(load.refused, [])
        self.assertEqual([session.end for session in load.broken() if session.port not in theirs], [])
        self.assertGreater(len(load.broken()), TURNS)


class Rules(unittest.TestCase):
    def test_bad_files_change_nothing_and_are_explained(self) -> None:
        with Gateway(workers=2) as gateway, gateway.connect() as client:
            client.start("EHLO client")
            changing, workers = Changing(gateway), sorted(gateway.workers())
            name, good = str(gateway.config), gateway.config.read_text()
            (gateway.folder / "good.yaml").write_text(good)
            taken = socket.create_server(("127.0.0.1", 0))
            self.addCleanup(taken.close)
            line = {text: number for number, text in enumerate(good.splitlines(), 1)}
            address = f"    address: '127.0.0.1:{gateway.tls_port}'"
            cases = (
                ("unknown", good.replace("workers: 2", "wrkers: 2"), f"{name}:{line['workers: 2']}: wrkers: unknown setting"),
                ("value", good.replace("workers: 2", "workers: many"), f'{name}:{line["workers: 2"]}: workers: "many" is not'),
                ("no YAML", good + "\t- [", name),
                ("certificate", good.replace("cert.pem", "gatepost.yaml"), "gatepost.yaml"),
                ("restart", good + "events: {subscribers: 3}\n", "events.subscribers: needs a restart to change"),
                ("delivery", good.replace(f"{gateway.folder}/mail", f"{gateway.config}/mail"), "no worker could start with it"),
                ("address", good.replace(str(gateway.tls_port), str(taken.getsockname()[1])), f"{name}:{line[address]}: listeners[1].address: cannot listen on 127.0.0.1:{taken.getsockname()[1]}: Address already in use; stop"),
                ("overlap", good.replace(f"127.0.0.1:{gateway.tls_port}", f"0.0.0.0:{gateway.tls_port}"), "Address already in use"),
                ("passed", good.replace(f"127.0.0.1:{gateway.tls_port}", "fd:smtp"), 'no socket named "smtp" was passed on; give one this name'),
                ("log", good + "log: {file: /nonexistent/log}\n", f"{name}:{len(good.splitlines()) + 1}: log.file: /nonexistent/log: No such file or directory"),
            )  # fmt: skip
            for what, text, why in cases:
                with self.subTest(what):
                    gateway.config.write_text(text)
                    self.assertIn(why, changing.refuse())
                    self.assertIn(why, gateway.log_text())
            self.assertIn(f"deliveries[0].maildir: {gateway.config}/mail: Not a directory", gateway.log_text())
            self.assertEqual(gateway.log_text().count("reload: nothing is changed"), len(cases))
            # What would have been counted has no place among the numbers.
            gateway.config.write_text(good.replace("place", "elsewhere").replace(f"{gateway.folder}/mail", f"{gateway.config}/mail"))
            changing.refuse()
            status = subprocess.run([PROGRAM, "status", "--json", "-c", str(gateway.folder / "good.yaml")], capture_output=True, text=True, timeout=60)
            self.assertEqual([delivery["delivery"] for delivery in json.loads(status.stdout)["deliveries"]], ["place"], status.stderr)
            gateway.config.unlink()
            self.assertIn("cannot be read", changing.refuse())
            self.assertEqual(sorted(gateway.workers()), workers)
            self.assertEqual(client.say("NOOP")[:3], "250")
            changing.reload(size="5M")
            self.assertEqual(changing.size(), str(5 << 20))

    def test_a_session_outlives_its_listener(self) -> None:
        with Gateway(workers=2) as gateway:
            changing = Changing(gateway)
            changing.reload(extra=True)
            with Client(changing.extra_port) as client:
                client.start("EHLO client", "MAIL FROM:<a@example.org>")
                changing.reload(extra=False)
                wait_until(lambda: not can_connect(changing.extra_port), "the end of the listener")
                self.assertEqual([client.say(line)[:3] for line in ("RCPT TO:<b@example.com>", "DATA", "hi\r\n.")], ["250", "354", "250"])
                self.assertEqual(client.say("MAIL FROM:<a@example.org>")[:3], "250")

    def test_retire_timeout(self) -> None:
        with Gateway(workers=2, extra="retire_timeout: 0s\n") as gateway, gateway.connect() as client:
            client.start("EHLO client")
            Changing(gateway).reload()
            self.assertEqual(client.reply()[:9], "421 4.3.2")
            wait_until(lambda: len(gateway.workers()) == 2, "the end of the old workers")

    def test_more_reloads_than_old_workers_have_room(self) -> None:
        """The ninth has to wait for the session of the first; all others go on."""
        gateway = Gateway(workers=2, extra="retire_timeout: 1h\n")
        changing = Changing(gateway)
        changing.write(workers=1)
        with gateway, contextlib.ExitStack() as stack:
            clients = []
            for generation in range(8):
                clients.append(stack.enter_context(gateway.connect()))
                clients[-1].start(f"EHLO client{generation}")
                if generation < 7:
                    changing.reload(workers=1, size=str(1000 + generation))
            self.assertEqual(len(gateway.workers()), 8)
            changing.reload(workers=1, size="9000")
            self.assertEqual(changing.size(), "9000")
            self.assertEqual(clients[0].reply()[:9], "421 4.3.2")
            self.assertEqual([client.say("NOOP")[:3] for client in clients[1:]], ["250"] * 7)

    def test_room_is_made_in_all_workers_at_a_time(self) -> None:
        """Each may take its drain_timeout."""
        with Gateway(workers=2, limits="connections_per_client: 1000", extra="retire_timeout: 1h\ndrain_timeout: 1h\n") as gateway, contextlib.ExitStack() as stack:
            changing = Changing(gateway)

            def connect(*lines: str) -> List[Client]:
                """Of both workers."""
                clients = [stack.enter_context(gateway.connect()) for _ in range(20)]
                for client in clients:
                    client.start("EHLO client", *lines)
                return clients

            idle, busy = connect(), connect("MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
            for generation in range(7):
                changing.reload(size=str(1000 + generation))
                gateway.wait_for("gateway.drain", 2 * (generation + 1))  # until then the old ones take clients, too
                connect()
            self.assertEqual(len(gateway.workers()), 16)
            changing.write(size="9000")
            changing.signal()
            self.assertEqual({client.reply()[:9] for client in idle}, {"421 4.3.2"})
            self.assertEqual({client.say("hi\r\n.")[:3] for client in busy}, {"250"})
            gateway.wait_for("gateway.reload", 8, ok=True)

    def test_a_clients_limit_counts_old_and_new_workers(self) -> None:
        with Gateway(workers=2, limits="connections_per_client: 3") as gateway, contextlib.ExitStack() as stack:
            old = [stack.enter_context(gateway.connect()) for _ in range(3)]
            for client in old:
                client.start("EHLO client")
            Changing(gateway).reload()
            with gateway.connect() as client:
                self.assertEqual(client.reply()[:3], "421")
            with gateway.connect("127.0.0.2") as client:
                self.assertEqual(client.reply()[:3], "220")
            old[0].say("QUIT")
            gateway.wait_for("disconnect", 3)
            with gateway.connect() as client:
                self.assertEqual(client.reply()[:3], "220")

    def test_reloads_leave_nothing_behind_in_the_master(self) -> None:
        with Gateway(workers=2) as gateway:
            changing = Changing(gateway)
            descriptors = f"/proc/{gateway.process.pid}/fd"  # type: ignore[union-attr]

            def settle(size: str) -> int:
                changing.reload(size=size)
                wait_until(lambda: len(gateway.workers()) == 2, "the end of the old workers")
                return len(os.listdir(descriptors))

            before = settle("1M")
            for turn in range(5):
                changing.reload(extra=True, workers=3)
                changing.write(size="nonsense")
                changing.refuse()
                self.assertEqual(settle(f"{turn + 1}M") - before, 2)  # the third worker's socket of each listener stays

    def test_the_level_of_the_log_changes_in_all_processes(self) -> None:
        with Gateway(workers=2) as gateway, gateway.connect() as client:
            client.start("EHLO client")
            changing = Changing(gateway)
            changing.text += "log: {level: error}\n"
            changing.write()
            gateway.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
            gateway.wait_for("gateway.reload", 1, ok=True)
            gateway.wait_for("gateway.drain", 2)
            wait_until(lambda: len(gateway.events("gateway.ready")) == 4, "the new workers")
            self.assertNotIn("its sessions go on", gateway.log_text())  # a word of the old worker's


if __name__ == "__main__":
    unittest.main()
