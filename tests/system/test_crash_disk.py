"""A disk that is full or fails: 452 or 451 and nothing left, never a 250 that is not true, and mail flows again when it is well."""

import contextlib
import errno
import os
import pathlib
import shutil
import subprocess
from typing import Iterator, Optional
from unittest import mock

from crash_load import CrashLoad, numbers_in
from gateway import Gateway, unittest, wait_until

FAULTS = os.environ.get("FAULTS", "")
"""The library that makes calls fail (faults.c)."""
CLIENTS = 8


def can_mount() -> Optional[str]:
    """None, or why not."""
    folder = pathlib.Path("/var/tmp") / f"gatepost-mount.{os.getpid()}"
    folder.mkdir()
    try:
        result = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True, text=True)
        if result.returncode:
            return result.stderr.strip() or "mount failed"
        subprocess.run(["umount", str(folder)], check=True)
        return None
    finally:
        folder.rmdir()


class Disk(unittest.TestCase):
    def check(self, gateway: Gateway, load: CrashLoad) -> None:
        """Each message got its reply, and what is there is what was accepted."""
        self.assertEqual(load.sent, set(load.replies))
        numbers = numbers_in(gateway.folder / "mail")
        self.assertEqual(sorted(numbers), sorted(load.accepted))
        self.assertEqual(list((gateway.folder / "mail" / "tmp").iterdir()), [])
        self.assertEqual(list((gateway.folder / "spool").iterdir()), [])
        for path in (gateway.folder / "mail" / "new").iterdir():
            path.unlink()

    def refused(self, load: CrashLoad) -> int:
        return len(load.replies) - len(load.accepted)

    def test_full_disk(self) -> None:
        why = can_mount()
        if why:
            print(f"not run: no file system can be mounted here: {why}", flush=True)
            self.skipTest(why)
        gateway = Gateway()
        mail = gateway.folder / "mail"
        mail.mkdir()
        with contextlib.ExitStack() as stack:
            stack.callback(shutil.rmtree, gateway.folder)
            subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(mail)], check=True)
            stack.callback(subprocess.run, ["umount", "-l", str(mail)], check=True)
            gateway.start()
            stack.callback(gateway.stop)
            for first in (0, 10**6):  # and again, when there is room
                load = CrashLoad(gateway, CLIENTS, first, first)
                wait_until(lambda: self.refused(load) >= 40, "refusals")
                load.stop()
                self.assertEqual({reply for reply in load.replies.values() if reply[:3] != "250"}, {"452 4.3.1 Insufficient system storage"})
                self.assertGreater(len(load.accepted), 10)
                self.check(gateway, load)
            self.assertEqual(gateway.stop(), 0)
            self.assertNotIn("ERROR: ", gateway.log_text())

    @contextlib.contextmanager
    def faulty_gateway(self) -> Iterator[Gateway]:
        gateway = Gateway()
        environment = {
            "LD_PRELOAD": FAULTS,
            "GATEPOST_FAULTS": str(gateway.folder / "faults"),
            # The sanitizer's library wants to be the first.
            "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0",
        }
        with mock.patch.dict(os.environ, environment):
            gateway.__enter__()
        with contextlib.ExitStack() as stack:
            stack.push(gateway.__exit__)
            yield gateway

    @unittest.skipUnless(FAULTS, "FAULTS names no library")
    def test_calls_that_fail(self) -> None:
        with self.faulty_gateway() as gateway:
            rule = gateway.folder / "faults"
            first = 0
            for call in ("create", "file", "rename", "folder"):
                for error, reply in (
                    (errno.EIO, "451 4.3.0 Delivery failed, try again later"),
                    (errno.ENOSPC, "452 4.3.1 Insufficient system storage"),
                ):
                    for nth in (1, 3):  # all of them; or those between must not be harmed
                        with self.subTest(call=call, error=error, nth=nth):
                            first += 10**6
                            rule.with_suffix(".new").write_text(f"{call} {error} {nth}\n")
                            rule.with_suffix(".new").rename(rule)
                            load = CrashLoad(gateway, CLIENTS, first, first)
                            wait_until(lambda: self.refused(load) >= 2 * CLIENTS, "refusals")
                            if nth > 1:
                                wait_until(lambda: len(load.accepted) >= 2 * CLIENTS, "mail between them")
                            load.stop()
                            self.assertEqual({other for other in load.replies.values() if other[:3] != "250"}, {reply})
                            if nth == 1:
                                self.assertEqual(load.accepted, [])
                            self.check(gateway, load)
            rule.unlink()
            load = CrashLoad(gateway, CLIENTS, first + 10**6, 1)
            wait_until(lambda: len(load.accepted) >= 2 * CLIENTS, "mail on a disk that is well again")
            load.stop()
            self.assertEqual(self.refused(load), 0)
            self.check(gateway, load)


if __name__ == "__main__":
    unittest.main()
