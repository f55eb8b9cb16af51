"""sent + lost = emitted, whatever happens to subscribers, hub and worker."""

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import threading
from typing import Any, Dict, Iterator, List

# AddressSanitizer keeps freed memory for a while; here memory is what is measured.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1"

from event_account import Account  # noqa: E402
from gateway import PATIENCE, PROGRAM, Gateway, unittest, wait_until  # noqa: E402
from test_subscriber import resident_kib, send  # noqa: E402

SMALL: Any = {"delivery": "discard: true", "extra": "events: {ring: 2M}\n"}
LONG = "x" * 900


def hello(gateway: Gateway) -> Any:
    account = Account(gateway).open()
    account.close()
    return account.hello


def head(gateway: Gateway) -> int:
    """The seq of the latest event, once all connections have ended."""
    wait_until(lambda: len(gateway.events("connect")) == len(gateway.events("disconnect")), "the disconnects")
    return int(hello(gateway)["head"])


def say_much(gateway: Gateway, count: int, name: str = "client") -> int:
    """A session with so many long commands, each answered. Returns how many events it has."""
    with gateway.connect() as client:
        client.start(f"EHLO {name}")
        for start in range(0, count, 100):
            lines = min(100, count - start)
            client.send(f"NOOP {LONG}\r\n".encode() * lines)
            for _ in range(lines):
                assert client.reply()[:3] == "250"
        assert client.say("QUIT")[:3] == "221"
        assert client.reply() == ""
    return 1 + 2 + count + 1 + 1  # connect; command and ehlo; NOOPs; QUIT; disconnect


@contextlib.contextmanager
def load(gateway: Gateway) -> Iterator[None]:
    """Mail without end meanwhile."""
    stop = threading.Event()
    errors: List[BaseException] = []

    def run() -> None:
        try:
            while not stop.is_set():
                send(gateway, 200)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE)
    assert not errors and not thread.is_alive(), errors


@contextlib.contextmanager
def without_hub(gateway: Gateway) -> Iterator[None]:
    """Kills the hub; nobody makes a new one while the master sleeps. The worker knows of it."""
    assert gateway.process
    before = gateway.log_text().count("the event hub is gone")
    gateway.process.send_signal(signal.SIGSTOP)
    try:
        os.kill(gateway.hub(), signal.SIGKILL)
        wait_until(lambda: gateway.log_text().count("the event hub is gone") > before, "the worker to know")
        yield
    finally:
        gateway.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def asleep(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


class Subscribers(unittest.TestCase):
    def test_filter(self) -> None:
        """Of the wanted events, each was sent or lies in a gap."""
        with Gateway(**SMALL) as gateway:
            everything = Account(gateway).open()
            reader = threading.Thread(target=everything.read_to_end, daemon=True)
            reader.start()
            picky = Account(gateway, events=["message", "mail"]).open()
            for turn in range(1, 9):
                send(gateway, 500)
                gateway.wait_for("message", turn * 500)
            last = head(gateway)
            wait_until(lambda: everything.position >= last, "all events")
            picky.read_to(last)
            self.assertEqual(everything.lost, 0)
            self.assertEqual(everything.sent, last)
            self.assertEqual({gap["why"] for gap in picky.gaps}, {"lag"})
            wanted = {seq for (_, seq), event in everything.events.items() if event["event"] in ("message", "mail")}
            came = {seq for _, seq in picky.events}
            self.assertEqual(len(wanted), 8000)
            self.assertEqual(came | {seq for seq in wanted if picky.is_lost(seq)}, wanted)
            self.assertFalse([seq for seq in came if picky.is_lost(seq)])
            while picky.take() != "heartbeat":  # which is checked there: lost_total is the sum of the gaps
                pass
            picky.close()

    def test_close_on_lag_and_go_on(self) -> None:
        with Gateway(**SMALL) as gateway:
            account = Account(gateway).open(on_lag="close")
            for turn in range(1, 7):
                send(gateway, 500)
                gateway.wait_for("message", turn * 500)
            last = head(gateway)
            account.read_to_end()
            assert account.error
            self.assertEqual((account.error["code"], account.error["fatal"]), ("lag", True))
            self.assertEqual(account.gaps, [])
            account.open(on_lag="close").read_to(last)
            self.assertEqual([gap["why"] for gap in account.gaps], ["expired"])
            self.assertEqual(account.sent + account.lost, last)
            account.close()

    def test_left_and_resumed(self) -> None:
        """Connections of any length, cut anywhere, under load: no hole and nothing twice."""
        chance = random.Random(5)
        with Gateway(delivery="discard: true") as gateway:
            account = Account(gateway)
            with load(gateway):
                for _ in range(30):
                    account.open()
                    for _ in range(chance.randrange(1, 1500)):
                        account.take()
            last = head(gateway)
            account.open().read_to(last)
            self.assertEqual(account.gaps, [])
            self.assertEqual(account.sent, last)
            account.close()

    def test_killed_and_resumed(self) -> None:
        """The same with `gatepost events`, killed while it writes."""
        chance = random.Random(6)
        position = 0
        with Gateway(delivery="discard: true") as gateway:
            command = [PROGRAM, "events", "--socket", str(gateway.events_socket)]
            epoch = hello(gateway)["gateway"]["epoch"]

            def follow(lines: int) -> None:
                nonlocal position
                with subprocess.Popen([*command, f"--from={epoch}:{position}"], stdout=subprocess.PIPE) as process:
                    assert process.stdout
                    for _ in range(lines):
                        event = json.loads(process.stdout.readline())
                        self.assertEqual((event["type"], event["prev"], event["seq"]), ("event", position, position + 1))
                        position += 1
                    process.kill()

            with load(gateway):
                for _ in range(10):
                    follow(chance.randrange(1, 1500))
            follow(head(gateway) - position)
            self.assertEqual(position, head(gateway))


class Hub(unittest.TestCase):
    def count(self, account: Account) -> int:
        """Events of sessions, in the epoch."""
        return sum(epoch == account.epoch and "session" in event for (epoch, _), event in account.events.items())

    def test_killed_under_load(self) -> None:
        """What happens while there is no hub waits for the next one; mail goes on."""
        with Gateway(delivery="discard: true") as gateway:
            account = Account(gateway).open()
            for turn in range(3):
                with load(gateway):
                    for _ in range(200):
                        account.take()
                    with without_hub(gateway):
                        emitted = say_much(gateway, 50, f"client{turn}")
                        account.read_to_end()
                    gateway.wait_for("gateway.start", turn + 2)
                    session = self.session(gateway, account, f"client{turn}")
                self.assertEqual([gap["why"] for gap in account.gaps], ["epoch"] * (turn + 1))
                self.assertEqual(len(session), emitted)
                self.assertEqual((session[0]["event"], session[-1]["event"]), ("connect", "disconnect"))
            account.close()

    def session(self, gateway: Gateway, account: Account, name: str) -> List[Dict[str, Any]]:
        """All events of the session in which the client is called so, once it has ended."""
        while True:
            account.open().read_to(account.hello["head"])
            ids = [event["session"] for event in account.events.values() if event["event"] == "ehlo" and event["data"]["name"] == name]
            events = [event for event in account.events.values() if event.get("session") in ids]
            if events and events[-1]["event"] == "disconnect":
                return events

    def test_away_for_too_long(self) -> None:
        """What the worker has no room for is a gap of exactly so many, where they happened."""
        with Gateway(delivery="discard: true") as gateway:
            account = Account(gateway).open()
            with without_hub(gateway):
                emitted = say_much(gateway, 8000)
                account.read_to_end()
            gateway.wait_for("gateway.start", 2)
            while not account.lost:  # until the worker has found the new hub, and there is room again
                account.open().read_to(account.hello["head"])
            emitted += say_much(gateway, 10, "last")
            self.session(gateway, account, "last")
            self.assertEqual(account.gaps[0]["why"], "epoch")
            self.assertEqual({gap["why"] for gap in account.gaps[1:]}, {"gateway"})
            self.assertEqual(self.count(account) + account.lost, emitted)
            self.assertGreater(account.lost, 1000)
            account.close()

    def test_stopped_until_the_bus_is_full(self) -> None:
        with Gateway(delivery="discard: true") as gateway:
            account = Account(gateway).open()
            account.read_to(account.hello["head"])
            hub = gateway.hub()
            for turn in range(1, 4):
                with asleep(hub):
                    emitted = say_much(gateway, 7000)  # nobody waits for it
                before, lost = self.count(account), account.lost
                while account.lost == lost:  # there is room again
                    account.open().read_to(account.hello["head"])
                emitted += say_much(gateway, 10, f"last{turn}")
                self.session(gateway, account, f"last{turn}")
                self.assertEqual(self.count(account) - before + account.lost - lost, emitted)
                self.assertGreater(account.lost - lost, 1000)
            self.assertEqual({gap["why"] for gap in account.gaps}, {"gateway"})
            self.assertEqual(account.sent + account.lost, account.position)
            self.assertEqual(gateway.hub(), hub)
            account.close()


class Memory(unittest.TestCase):
    def test_default_ring(self) -> None:
        """It holds 64 MiB, and that is all that the hub's memory grows by, also with a subscriber that does not read."""
        count, size = 100_000, 1024
        body = ('"time":"2026-11-24T11:03:15.482113Z","event":"rcpt","data":{"x":"' + "y" * size)[: size - 2] + '"}'
        record = f"7 {body}\n".encode()
        with Gateway(delivery="discard: true") as gateway:
            hub = gateway.hub()
            stuck = Account(gateway).open()
            before, first = resident_kib(hub), stuck.hello["head"]
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(str(gateway.folder / "run" / "hub.sock"))
                for _ in range(count // 1000):
                    sock.sendall(record * 1000)
            wait_until(lambda: head(gateway) == first + count, "the events in the ring")
            grown = resident_kib(hub) - before
            reader = Account(gateway).open()
            held = reader.hello["head"] + 1 - reader.hello["oldest"]
            self.assertGreater(held * size, 62 << 20)
            self.assertGreater(grown, 60 << 10)
            self.assertLess(grown, 72 << 10)
            reader.read_to(reader.hello["head"])
            self.assertEqual(reader.sent, held)
            stuck.read_to(first + count)
            self.assertEqual(stuck.sent + stuck.lost, first + count)
            self.assertLess(resident_kib(hub) - before, 72 << 10)
            reader.close()
            stuck.close()


if __name__ == "__main__":
    unittest.main()
