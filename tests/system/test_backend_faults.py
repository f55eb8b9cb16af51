"""A backend that does wrong, at each step, in each way: the client is told the truth, nothing is left behind, the next mail goes on."""

import concurrent.futures
import os
import pathlib
import re
import tempfile
import threading
from typing import Callable, List, Optional, Tuple

from certificates import NAME, Authority
from fault_backend import ALSO, BROKEN, DOWN, FAULTS, FINE, TLS_FAULTS, UNKNOWN, Backend, Fault
from gateway import Gateway, unittest, wait_until

TOGETHER = 6
"""Faults at once: most of their time they wait."""


def delivery(*backends: Backend, more: str = "tls: none", kind: str = "smtp") -> str:
    addresses = ", ".join(f"'{backend.address}'" for backend in backends)
    return "".join(f"{line}\n    " for line in (f"{kind}: [{addresses}]", "timeout: 2s", *more.split("; ")))


def send(gateway: Gateway, subject: str) -> Tuple[str, str]:
    """One message: where it ended, RCPT or DATA, and the reply there."""
    with gateway.connect() as client:
        client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
        at, reply = "RCPT", client.say("RCPT TO:<b@example.com>")
        if reply.startswith("250"):
            at, reply = "DATA", client.say("DATA")
            if reply.startswith("354"):
                reply = client.say(f"Subject: {subject}\r\n\r\n..hi\r\n.")
        assert all(" " <= letter <= "~" for letter in reply), reply
        return at, reply


def carried(backend: Backend, subject: str) -> int:
    return sum(f"Subject: {subject}\r\n\r\n.hi\r\n".encode() in content for _, content in backend.taken)


def table(title: str, rows: List[Tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    print(f"\n{title}")
    for row in sorted(rows):
        print("  " + "  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip())


class BackendFaults(unittest.TestCase):
    def each(self, title: str, faults: List[Fault], check: Callable[[Fault], Tuple[str, List[str]]]) -> None:
        """Runs the check for each fault, prints what the client was told, fails with all that was wrong."""
        rows: List[Tuple[str, ...]] = []
        wrong: List[str] = []
        lock = threading.Lock()

        def one(fault: Fault) -> None:
            try:
                told, problems = check(fault)
            except BaseException as error:  # the other faults still count
                told, problems = "", [repr(error)[:600]]
            with lock:
                rows.append((fault.step, fault.name, told, "; ".join(problems) or "ok"))
                wrong.extend(f"{fault.step}, {fault.name}: {problem}" for problem in problems)

        with concurrent.futures.ThreadPoolExecutor(TOGETHER) as pool:
            list(pool.map(one, faults))
        table(title, rows)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def alone(self, fault: Fault, kind: str = "smtp") -> Tuple[str, List[str]]:
        """One backend: the reply is the honest one; after its recovery mail goes on."""
        problems = []
        with Backend() as backend:
            self.break_it(backend, fault)
            with Gateway(delivery=delivery(backend, kind=kind)) as gateway:
                at, reply = send(gateway, "first")
                if at not in fault.at or not re.match(fault.reply, reply):
                    problems.append(f"wanted {fault.reply} at {fault.at}")
                if len(backend.taken) != fault.taken or (reply.startswith("250") and not backend.taken):
                    problems.append(f"the backend took {len(backend.taken)}")
                # An outcome that nobody knows is called so, and no other.
                unknown = at == "DATA" and "unknown" in gateway.wait_for("delivery")[0]
                if unknown != (fault.step == "dot" and fault.reply in (UNKNOWN, BROKEN)):
                    problems.append(f"unknown: {unknown}")
                if fault.action and not backend.faulted:
                    problems.append("the fault did not happen")
                wait_until(lambda: os.listdir(gateway.folder / "spool") == [], "an empty spool")
                backend.heal()
                if not fault.action:
                    backend.listen()
                wait_until(lambda: re.match(FINE, send(gateway, "second")[1]), "the next mail")
                if carried(backend, "second") != 1:
                    problems.append("the next mail is not there once")
                wait_until(lambda: os.listdir(gateway.folder / "spool") == [], "an empty spool")
        return f"{at}: {reply}", problems

    def second(self, fault: Fault) -> Tuple[str, List[str]]:
        """Two backends: the other one takes the mail at once."""
        problems = []
        with Backend() as backend, Backend() as healthy:
            self.break_it(backend, fault)
            with Gateway(delivery=delivery(backend, healthy)) as gateway:
                told = [send(gateway, subject) for subject in ("first", "second")]
                problems = [f"wanted {FINE}: {reply}" for _, reply in told if not re.match(FINE, reply)]
                if [carried(healthy, "first"), carried(healthy, "second"), len(backend.taken)] != [1, 1, 0]:
                    problems.append("each must be at the healthy one, once")
                wait_until(lambda: os.listdir(gateway.folder / "spool") == [], "an empty spool")
        return told[0][1], problems

    def break_it(self, backend: Backend, fault: Fault) -> None:
        if fault.action:
            backend.faults = {fault.step: fault.action, **ALSO.get(fault.name, {})}
        else:
            backend.refuse()

    def test_one_backend(self) -> None:
        self.each("One backend: what its client is told", FAULTS, self.alone)

    def test_one_lmtp_backend(self) -> None:
        # There is no older LHLO to fall back to.
        faults = [fault._replace(reply=DOWN, at="RCPT", taken=0) if (fault.step, fault.name) == ("EHLO", "500") else fault for fault in FAULTS]
        self.each("One LMTP backend: what its client is told", faults, lambda fault: self.alone(fault, "lmtp"))

    def test_second_backend(self) -> None:
        self.each("A second backend takes the mail", [fault for fault in FAULTS if fault.down], self.second)

    def test_starttls(self) -> None:
        with tempfile.TemporaryDirectory(prefix="authority.", dir="/var/tmp") as folder:
            authority = Authority(pathlib.Path(folder))
            pair = authority.right()

            def check(fault: Fault) -> Tuple[str, List[str]]:
                level = fault.step
                more = f"tls: {level}; tls_name: {NAME}; tls_ca: {authority.file}" if level == "verified" else f"tls: {level}"
                with Backend(pair) as backend:
                    assert fault.action
                    backend.faults = {"STARTTLS": fault.action}
                    with Gateway(delivery=delivery(backend, more=more)) as gateway:
                        at, reply = send(gateway, "first")
                        said = [line for line in backend.commands if line.startswith(("MAIL", "RCPT"))]
                        problems = [] if re.match(fault.reply, reply) else [f"wanted {fault.reply}"]
                        if level == "verified" and said:
                            problems.append(f"said in clear: {said}")
                        if reply.startswith("250") != (carried(backend, "first") == 1):
                            problems.append("250 and what the backend took differ")
                        backend.heal()
                        wait_until(lambda: re.match(FINE, send(gateway, "second")[1]), "the next mail")
                return f"{at}: {reply}", problems

            faults = [
                Fault(fault.name, level, fault.action, reply, "")
                for fault in TLS_FAULTS
                for level, reply in (("verified", DOWN), ("opportunistic", fault.opportunistic))
            ]
            self.each("STARTTLS goes wrong", faults, check)

    def test_hang_up_while_it_waits(self) -> None:
        """The client goes while the backend is silent at RCPT: the next client is served."""
        silent = threading.Event()

        def wait(conversation: "object") -> None:
            silent.set()
            backend.released.wait(60)

        with Backend() as backend:
            backend.faults = {"RCPT": wait}
            with Gateway(delivery=delivery(backend)) as gateway:
                with gateway.connect() as client:
                    client.start("EHLO client.example.net", "MAIL FROM:<a@example.org>")
                    client.send(b"RCPT TO:<b@example.com>\r\n")
                    self.assertTrue(silent.wait(60))
                gateway.wait_for("disconnect", 1)
                backend.heal()
                wait_until(lambda: re.match(FINE, send(gateway, "second")[1]), "the next mail")
                self.assertEqual(carried(backend, "second"), 1)

    def test_idle_connection_that_died(self) -> None:
        """A connection from the cache that is dead is replaced in silence."""
        with Backend() as backend, Gateway(delivery=delivery(backend)) as gateway:
            for number in range(5):
                self.assertRegex(send(gateway, f"mail {number}")[1], FINE)
                backend.drop()
            self.assertEqual(sum(carried(backend, f"mail {number}") for number in range(5)), 5)


class TheBackendItself(unittest.TestCase):
    """Without gatepost: each fault is what its name says."""

    def talk(self, faults: Optional[dict], lines: List[bytes]) -> bytes:
        import socket

        with Backend() as backend:
            backend.faults = faults or {}
            with socket.create_connection(("127.0.0.1", backend.port), 10) as sock:
                sock.sendall(b"".join(lines))
                got = b""
                with sock.makefile("rb") as file:
                    while len(got) < 1 << 16 and (line := file.readline(65536)):
                        got += line
            self.taken = list(backend.taken)
            return got

    LINES = [b"EHLO x\r\n", b"MAIL FROM:<a@x>\r\n", b"RCPT TO:<b@x>\r\n", b"DATA\r\n", b"S: x\r\n\r\n..hi\r\n.\r\n", b"QUIT\r\n"]

    def test_good(self) -> None:
        got = self.talk(None, self.LINES)
        self.assertEqual(re.findall(rb"^(\d\d\d) ", got, re.M), [b"220", b"250", b"250", b"250", b"354", b"250", b"221"])
        self.assertEqual(self.taken, [(["RCPT TO:<b@x>"], b"S: x\r\n\r\n.hi\r\n")])

    def test_each(self) -> None:
        good = self.talk(None, self.LINES)
        for fault in FAULTS:
            if fault.action and "hangs" != fault.name and "without end" not in fault.name:
                with self.subTest(fault.name, step=fault.step):
                    try:
                        got = self.talk({fault.step: fault.action}, self.LINES)
                    except ConnectionResetError:
                        got = b""
                    self.assertEqual(got == good, fault.name == "drips", got)


if __name__ == "__main__":
    unittest.main()
