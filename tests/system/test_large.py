"""Fifty messages of 50 MiB at once through a scanner: each octet arrives, the worker's memory stays bounded, nothing is left behind."""

import hashlib
import os
import pathlib
import re
import threading
from typing import List

from gateway import PATIENCE, Gateway, socket_folder, unittest, wait_until
from liar import Liar, Request, reply

SESSIONS = 50
LINE = b"0123456789abcdef" * 60 + b"\r\n"
PIECE = LINE * 1090  # about a MiB
PIECES = 50
MEMORY_MAX = 64 << 10
"""KiB over what the worker has before the load."""


# The sanitizer would hold freed memory back; what counts here is what the program holds.
os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=1"


def memory(pid: int, field: str) -> int:
    match = re.search(rf"^{field}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)
    assert match
    return int(match.group(1))


class Large(unittest.TestCase):
    def through(self, mode: str) -> None:
        digests: List[str] = []
        together = threading.Barrier(SESSIONS)

        def scan(request: Request) -> bytes:
            if mode == "fd":
                file = os.fdopen(request["fd"], "rb")
            else:
                file = open(pathlib.Path(liar.ready["spool"]) / request["args"]["body"]["path"], "rb")
            with file:
                digests.append(hashlib.file_digest(file, "sha256").hexdigest())
            return reply(request["id"])

        def send(number: int) -> None:
            with gateway.connect() as client:
                client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                together.wait(PATIENCE)
                client.sock.settimeout(600)
                client.send(f"Subject: {number}\r\n\r\n".encode())
                for _ in range(PIECES):
                    client.send(PIECE)
                client.send(b".\r\n")
                replies.append(client.reply())

        replies: List[str] = []
        with socket_folder() as folder:
            liar = Liar(f"{folder}/p.sock", ["message"], scan, body=[mode])
            with Gateway(
                policies={"p": f"{folder}/p.sock"}, policy_options="    timeout: 300s\n", delivery="discard: true",
                limits="message_size: 60M, message_time: 600s, spool: 4G",
            ) as gateway:  # fmt: skip
                gateway.connect().close()
                pids = {pid: memory(pid, "VmRSS") for pid in gateway.children()}
                threads = [threading.Thread(target=send, args=(i,), daemon=True) for i in range(SESSIONS)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(900)
                grown = {pid: memory(pid, "VmHWM") - before for pid, before in pids.items()}
                print(f"{mode}: {SESSIONS} messages of {PIECES * len(PIECE) >> 20} MiB at once: memory at most {max(grown.values()) >> 10} MiB over its base")
                self.assertEqual([text[:3] for text in replies], ["250"] * SESSIONS)
                wanted = []
                for i in range(SESSIONS):
                    digest = hashlib.sha256(f"Subject: {i}\r\n\r\n".encode())
                    for _ in range(PIECES):
                        digest.update(PIECE)
                    wanted.append(digest.hexdigest())
                self.assertEqual(sorted(digests), sorted(wanted))
                self.assertLessEqual(max(grown.values()), MEMORY_MAX)
                wait_until(lambda: os.listdir(gateway.folder / "spool") == [], "an empty spool")
            liar.close()

    def test_path(self) -> None:
        self.through("path")

    def test_fd(self) -> None:
        self.through("fd")


if __name__ == "__main__":
    unittest.main()
