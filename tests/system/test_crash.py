"""kill -9 at any moment: what was answered with 250 is in the Maildir, whole, once; and nothing else is left behind.

GATEPOST_CRASHES=200 makes 200 crashes in place of 40; GATEPOST_SEED repeats a run's choices (the load's timing stays its own).
"""

import contextlib
import os
import pathlib
import random
import signal
import time
from typing import Callable, Iterable, List, Set

from crash_load import CrashLoad, numbers_in, wait_gone
from gateway import Gateway, unittest, wait_until

CRASHES = int(os.environ.get("GATEPOST_CRASHES", "40"))
SEED = int(os.environ.get("GATEPOST_SEED", "0")) or random.SystemRandom().randrange(1, 2**32)
CLIENTS = 6


def is_served(gateway: Gateway) -> bool:
    with contextlib.suppress(OSError), gateway.connect() as client:
        return client.reply()[:3] == "220"
    return False


class Crash(unittest.TestCase):
    def setUp(self) -> None:
        print(f"GATEPOST_SEED={SEED}", flush=True)
        self.accepted = self.unanswered = self.kept = self.unfinished = 0

    def kill_worker(self, gateway: Gateway) -> None:
        worker = gateway.worker()
        os.kill(worker, signal.SIGKILL)
        wait_gone([worker])

    def kill_all(self, gateway: Gateway) -> None:
        assert gateway.process is not None
        pids = [gateway.process.pid, *gateway.children()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        gateway.process.wait()
        wait_gone(pids)
        self.unfinished += sum(1 for folder in (gateway.folder / "mail").rglob("tmp") for _ in folder.iterdir())
        gateway.start()

    def crash(
        self, gateway: Gateway, chance: random.Random, first: int, kill: Callable[[Gateway], None], folders: Iterable[str], recipients: List[str]
    ) -> None:
        load = CrashLoad(gateway, CLIENTS, first, chance.randrange(2**32), recipients)
        wait_until(lambda: len(load.accepted) >= CLIENTS, "mail to flow")
        time.sleep(chance.uniform(0, 0.06))  # no condition: the moment is to be any
        kill(gateway)
        load.join()
        wait_until(lambda: is_served(gateway), "a new worker")
        unanswered = load.sent - set(load.replies)
        self.assertEqual(set(load.replies) - set(load.accepted), set(), "a crash is no reason for a refusal")
        for folder in folders:
            self.check(gateway, gateway.folder / "mail" / folder, set(load.accepted), unanswered)
        wait_until(lambda: not list((gateway.folder / "spool").iterdir()), "an empty spool")
        self.accepted += len(load.accepted)
        self.unanswered += len(unanswered)

    def check(self, gateway: Gateway, maildir: pathlib.Path, accepted: Set[int], unanswered: Set[int]) -> None:
        wait_until(lambda: not list((maildir / "tmp").iterdir()), f"an empty {maildir}/tmp")
        numbers = numbers_in(maildir)
        self.assertEqual(len(numbers), len(set(numbers)), "a message is there twice")
        self.assertEqual(accepted - set(numbers), set(), "answered with 250, and not there")
        self.assertEqual(set(numbers) - accepted - unanswered, set(), "nobody sent it")
        self.kept += len(set(numbers) - accepted)
        for path in (maildir / "new").iterdir():
            path.unlink()

    def crashes(self, gateway: Gateway, count: int, folders: Iterable[str], recipients: List[str]) -> None:
        chance, began = random.Random(SEED), time.monotonic()
        for n in range(count):
            # A worker that dies too often is started with a delay; a new master forgets that.
            with self.subTest(n=n, seed=SEED):
                self.crash(gateway, chance, n * 10**6, self.kill_all if n % 3 == 2 else self.kill_worker, folders, recipients)
        print(
            f"{count} crashes in {time.monotonic() - began:.0f} s: {self.accepted} messages accepted; {self.unanswered} not answered, {self.kept} files"
            f" of them kept; {self.unfinished} unfinished ones in tmp/ after the kills of all processes",
            flush=True,
        )
        self.assertGreater(self.accepted, CLIENTS * count)

    def test_one_maildir(self) -> None:
        with Gateway() as gateway:
            self.crashes(gateway, CRASHES - CRASHES // 4, [""], ["b@example.com"])

    def test_folder_of_each_recipient(self) -> None:
        gateway = Gateway(delivery="maildir: FOLDER/mail/{domain}/{local}")
        (gateway.folder / "mail").mkdir()
        with gateway:
            self.crashes(gateway, CRASHES // 4, ["example.com/b", "example.com/%2Ec%2F"], ["b@example.com", '".c/"@EXAMPLE.com'])


if __name__ == "__main__":
    unittest.main()
