"""One policy served by three processes of the Python example: one is killed, all are, all are replaced, under load."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
from typing import Dict, Iterator, Tuple

from gateway import PATIENCE, ROOT, Gateway, socket_folder, unittest, wait_until
from load import Load, stored_transactions

EXAMPLE = ROOT / "clients" / "python" / "examples" / "blocklist.py"
CLIENTS = 40


class Processes:
    """The three, by number. Whatever still runs at the end is killed."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.paths = [f"{folder}/{number}.sock" for number in range(3)]
        self.log = folder / "log"
        self.running: Dict[int, "subprocess.Popen[bytes]"] = {}

    def start(self, number: int) -> None:
        environment = dict(os.environ, PYTHONPATH=str(ROOT / "clients" / "python"))
        with open(self.log, "ab") as log:
            self.running[number] = subprocess.Popen([sys.executable, str(EXAMPLE), self.paths[number]], env=environment, stderr=log)

    def kill(self, number: int) -> None:
        self.running[number].kill()
        self.running.pop(number).wait(PATIENCE)

    def replace(self, number: int) -> None:
        """SIGTERM: it drains, and gives its socket up; its successor takes it while the old one finishes."""
        old = self.running.pop(number)
        try:
            old.send_signal(signal.SIGTERM)
            wait_until(lambda: not os.path.exists(self.paths[number]), "the end of the old socket")
            self.start(number)
            code = old.wait(PATIENCE)
        finally:
            old.kill()
        if code != 0:
            raise AssertionError(f"a drained process ended with {code}:\n{self.log.read_text()}")

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait(PATIENCE)


@contextlib.contextmanager
def three_processes() -> Iterator[Processes]:
    with socket_folder() as folder:
        processes = Processes(folder)
        try:
            for number in range(3):
                processes.start(number)
            wait_until(lambda: all(os.path.exists(path) for path in processes.paths), "the three processes")
            yield processes
        finally:
            processes.stop()


class ServiceProcesses(unittest.TestCase):
    @contextlib.contextmanager
    def under_load(self) -> Iterator[Tuple[Processes, Gateway, Load]]:
        with three_processes() as processes:
            policies = {"blocklist": ", ".join(processes.paths)}
            with Gateway(policies=policies, policy_options="    timeout: 60s\n", workers=2) as gateway:
                for path in processes.paths:  # a line from each worker
                    gateway.wait_for("policy.service", 2, state="ready", socket=path)
                with Load(gateway, CLIENTS) as load:
                    self.messages(load, 200)
                    yield processes, gateway, load

    def messages(self, load: Load, number: int) -> None:
        """So many more have been answered."""
        before = len(load.replies)
        wait_until(lambda: len(load.replies) >= before + number, f"{number} more messages")

    def each_is_stored_once(self, gateway: Gateway, load: Load) -> None:
        """What was answered with 250, and nothing else."""
        self.assertEqual(sorted(stored_transactions(gateway)), sorted(load.transactions))

    def none_has_failed(self, gateway: Gateway, load: Load) -> None:
        self.assertEqual(gateway.events("policy.failure") + gateway.events("GAP"), [])
        self.assertEqual(len(load.transactions), len(load.replies), [reply for reply in load.replies if reply[:3] != "250"][:5])
        self.each_is_stored_once(gateway, load)

    def test_one_of_three_is_killed(self) -> None:
        """Its questions are asked again, of the others, under the same key: no session notices."""
        with self.under_load() as (processes, gateway, load):
            # Stopped first: so there are questions that it has and will not answer.
            processes.running[1].send_signal(signal.SIGSTOP)
            turns = list(load.turns)
            stuck = wait_until(lambda: load.stuck(turns, others=300), "clients that wait for the stopped process")
            processes.kill(1)
            wait_until(lambda: all(load.turns[number] > turns[number] for number in stuck), "the answers of another process")
            gateway.wait_for("policy.service", 2, state="unavailable", socket=processes.paths[1])
            self.messages(load, 200)
            processes.start(1)
            gateway.wait_for("policy.service", 4, state="ready", socket=processes.paths[1])
            self.messages(load, 200)
            load.stop()
            self.none_has_failed(gateway, load)

    def test_all_three_are_killed(self) -> None:
        """Nobody is left to ask: 451, and no session hangs; all is well again when they are back."""
        with self.under_load() as (processes, gateway, load):
            for number in range(3):
                processes.running[number].send_signal(signal.SIGSTOP)
            wait_until(lambda: all(load.waiting), "clients that all wait")
            for number in range(3):
                processes.kill(number)
            gateway.wait_for("policy.failure", CLIENTS)
            for number in range(3):
                processes.start(number)
            for path in processes.paths:
                gateway.wait_for("policy.service", 4, state="ready", socket=path)
            back = len(load.transactions)
            wait_until(lambda: len(load.transactions) > back + 200, "messages that are accepted again")
            load.stop()
            self.assertLessEqual({event["class"] for event in gateway.events("policy.failure")}, {"lost", "unavailable"})
            refused = {reply[:9] for reply in load.replies if reply[:3] != "250"}
            self.assertEqual(refused, {"451 4.3.0"})
            self.each_is_stored_once(gateway, load)

    def test_all_three_are_replaced(self) -> None:
        """One after the other, by drain: not one failed decision."""
        with self.under_load() as (processes, gateway, load):
            for number in range(3):
                processes.replace(number)
                gateway.wait_for("policy.service", 4, state="ready", socket=processes.paths[number])
                self.messages(load, 200)
            load.stop()
            self.none_has_failed(gateway, load)


if __name__ == "__main__":
    unittest.main()
