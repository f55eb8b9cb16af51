"""Clients that want to be expensive: each meets its limit, has its defined reply, and harms nobody else."""

import contextlib
import os
import pathlib
import resource
import socket
import ssl
import threading
import time
from typing import List, Tuple

from gateway import ACCEPT_ALL, PATIENCE, Client, Gateway, service_process, socket_folder, unittest, wait_until

# Memory is measured here: what AddressSanitizer keeps of freed memory would be most of it.
os.environ["ASAN_OPTIONS"] = ":".join(filter(None, [os.environ.get("ASAN_OPTIONS"), "quarantine_size_mb=1:thread_local_quarantine_size_kb=64"]))


def limited(limits: str) -> Gateway:
    """A gateway with these limits of commands and messages; others have none to speak of in these tests."""
    gateway = Gateway()
    text = gateway.config.read_text()
    usual = "messages: 100000, commands: 1000000, "
    assert usual in text, text
    gateway.config.write_text(text.replace(usual, limits))
    return gateway


REFUSE_LOGIN = """
service = gatepost.Service("no")
@service.auth
def auth(request):
    return gatepost.reject()
"""


def secure(client: Client) -> None:
    """Speaks TLS from now on."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client.close_file()
    client.sock = context.wrap_socket(client.sock)
    client._file = client.sock.makefile("rb")


def drip(client: Client, octets: bytes, pause: float, patience: float = PATIENCE) -> Tuple[float, str]:
    """Sends octet after octet until the gateway says something; returns when that was and what it was."""
    began = time.monotonic()
    client.sock.settimeout(pause)
    position = 0
    said = b""
    while time.monotonic() - began < patience:
        with contextlib.suppress(OSError):
            client.send(octets[position % len(octets) : position % len(octets) + 1])
        position += 1
        with contextlib.suppress(socket.timeout):
            with contextlib.suppress(ConnectionResetError):  # our last octet came to a socket that was closed
                said = client.sock.recv(4096)
            break
    return time.monotonic() - began, said.decode(errors="replace")


def memory(pid: int) -> int:
    """The octets of memory that a process has now."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class Limits(unittest.TestCase):
    def expect_end(self, gateway: Gateway, client: Client, reason: str) -> None:
        """The gateway has said its last word: nothing follows, and the event says why."""
        client.sock.settimeout(PATIENCE)
        with contextlib.suppress(ConnectionResetError):
            self.assertEqual(client.sock.recv(1), b"")
        gateway.wait_for("disconnect", reason=reason)

    def others_are_served(self, gateway: Gateway) -> None:
        with gateway.connect() as client:
            client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
            self.assertRegex(client.say("Subject: x\r\n\r\nhi\r\n."), r"^250 2\.0\.0 OK id=")


class Slow(Limits):
    def test_silence(self) -> None:
        with Gateway(limits="command_timeout: 1s, data_timeout: 2s") as gateway:
            for lines, seconds, reason in (
                ([], 1.0, "command_timeout"), (["EHLO client"], 1.0, "command_timeout"),
                (["EHLO client", "MAIL FROM:<a@example.org>"], 1.0, "command_timeout"),
                (["EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA"], 2.0, "data_timeout"),
            ):  # fmt: skip
                with gateway.connect() as client:
                    client.start(*lines)
                    began = time.monotonic()
                    self.assertRegex(client.reply(), r"^421 4\.4\.2 ")
                    self.assertGreater(time.monotonic() - began, seconds - 0.2)
                    self.expect_end(gateway, client, reason)

    def test_slowloris(self) -> None:
        """One octet at a time of a command without end: they gain no time."""
        with Gateway(limits="command_timeout: 1s", tls="none") as gateway:
            for octets in (b"NOOP ", b"\r", b"\0", b"EHLO client\n"):
                with gateway.connect() as client:
                    client.start("EHLO client")
                    seconds, said = drip(client, octets, 0.1)
                    self.assertRegex(said, r"^421 4\.4\.2 ", octets)
                    self.assertTrue(0.8 < seconds < PATIENCE, seconds)
                    self.expect_end(gateway, client, "command_timeout")
            self.others_are_served(gateway)

    def test_half_a_handshake(self) -> None:
        """A TLS record of which an octet comes now and then."""
        record = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500)
        with Gateway(limits="command_timeout: 1s") as gateway:
            for port, lines in ((gateway.port, ["EHLO client", "STARTTLS"]), (gateway.tls_port, [])):
                with Client(port) as client:
                    if lines:
                        client.start(*lines)
                    seconds, said = drip(client, record, 0.1)
                    self.assertEqual(said, "")
                    self.assertTrue(0.8 < seconds < PATIENCE, seconds)
            gateway.wait_for("disconnect", 2)

    def test_session_time(self) -> None:
        """Always busy, always in time: the session as a whole has an end."""
        with Gateway(limits="session_time: 2s") as gateway:
            with gateway.connect() as client:
                client.start("EHLO client")
                began = time.monotonic()
                reply = "250"
                while reply.startswith("250"):
                    reply = client.say("NOOP")
                    time.sleep(0.05)
                self.assertRegex(reply, r"^421 4\.4\.2 ")
                self.assertGreater(time.monotonic() - began, 1.5)
                self.expect_end(gateway, client, "session_time")
            with gateway.connect() as client:
                client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                seconds, said = drip(client, b"slow\r\n", 0.1)
                self.assertRegex(said, r"^421 4\.4\.2 ")
                self.assertTrue(1.5 < seconds < PATIENCE, seconds)
            gateway.wait_for("disconnect", 2, reason="session_time")
            self.assertEqual(list((gateway.folder / "spool").iterdir()), [])


class Endless(Limits):
    def flood(self, limits: str, lines: bytes, reason: str, *start: str) -> Tuple[int, str]:
        """Pipelines `lines` without end; returns how many replies came before the last one, and that."""
        with limited(limits) as gateway, gateway.connect() as client:
            client.start("EHLO client", *start)

            def write() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        client.send(lines * 100)

            thread = threading.Thread(target=write)
            thread.start()
            replies: List[str] = []
            with contextlib.suppress(ConnectionResetError):
                while not replies or not replies[-1].startswith("421"):
                    replies.append(client.reply())
                    self.assertNotEqual(replies[-1], "")
            self.expect_end(gateway, client, reason)
            thread.join()
            self.others_are_served(gateway)
            return len(replies) - 1, replies[-1]

    def test_noop(self) -> None:
        count, last = self.flood("commands: 500", b"NOOP\r\n", "commands")
        self.assertRegex(last, r"^421 4\.7\.0 ")
        self.assertEqual(count, 499)  # and EHLO

    def test_rset(self) -> None:
        count, last = self.flood("commands: 500", b"RSET\r\n", "commands", "MAIL FROM:<a@example.org>")
        self.assertRegex(last, r"^421 4\.7\.0 ")
        self.assertEqual(count, 498)  # and EHLO, MAIL

    def test_errors(self) -> None:
        for lines in (b"BOGUS\r\n", b"RCPT TO:<b@example.com>\r\n", b"EHLO \r\n", b"VRFY\xff\r\n"):
            count, last = self.flood("errors: 10", lines, "errors")
            # A reply to EHLO has no enhanced code (RFC 2034 section 3).
            self.assertRegex(last, r"^421 mx\.example\.com " if lines == b"EHLO \r\n" else r"^421 4\.7\.0 ")
            self.assertTrue(9 <= count <= 10, count)

    def test_wrong_passwords_are_slow(self) -> None:
        """The nth is answered after n seconds, and what is pipelined behind it waits too; another client does not."""
        with socket_folder() as folder, service_process(f"{folder}/no.sock", REFUSE_LOGIN):
            with Gateway(policies={"no": f"{folder}/no.sock"}, listener="    auth: true\n") as gateway:
                with Client(gateway.tls_port) as client:
                    secure(client)
                    client.start("EHLO client")
                    for number in (1, 2, 3):
                        began = time.monotonic()
                        client.send(b"AUTH PLAIN AGFsaWNlAHdyb25n\r\nNOOP\r\n")
                        self.others_are_served(gateway)
                        self.assertEqual(client.reply()[:9], "535 5.7.8")
                        self.assertGreater(time.monotonic() - began, number - 0.1)
                        self.assertEqual(client.reply()[:3], "250")

    def test_messages(self) -> None:
        lines = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.com>\r\nDATA\r\n"
        with limited("messages: 3") as gateway, gateway.connect() as client:
            client.start("EHLO client")
            replies = [client.say(line) for _ in range(3) for line in (*lines.decode().split("\r\n")[:3], "hi\r\n.")]
            self.assertEqual([reply[:3] for reply in replies], ["250", "250", "354", "250"] * 3)
            self.assertRegex(client.say("MAIL FROM:<a@example.org>"), r"^421 4\.7\.0 ")
            self.expect_end(gateway, client, "messages")
            self.assertEqual(len(gateway.stored()), 3)

    def test_ten_thousand_recipients(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/all.sock", ACCEPT_ALL):
            with Gateway(policies={"all": f"{folder}/all.sock"}, limits="recipients: 1000, errors: 1000000") as gateway:
                with gateway.connect() as client:
                    client.start("EHLO client", "MAIL FROM:<a@example.org>")

                    def write() -> None:
                        client.send(b"".join(b"RCPT TO:<user%d@example.com>\r\n" % number for number in range(10000)) + b"DATA\r\n")

                    thread = threading.Thread(target=write)
                    thread.start()
                    replies = [client.reply() for _ in range(10001)]
                    thread.join()
                    self.assertEqual({reply[:9] for reply in replies[:1000]}, {"250 2.1.5"})
                    self.assertEqual({reply[:9] for reply in replies[1000:10000]}, {"452 4.5.3"})
                    self.assertEqual(replies[10000][:3], "354")
                    self.assertRegex(client.say("hi\r\n."), r"^250 2\.0\.0 OK id=")
                self.assertEqual(gateway.stored()[0].read_text().count("Delivered-To: "), 1000)


class Huge(Limits):
    def flood(self, gateway: Gateway, client: Client, octets: int) -> int:
        """Streams a line without end; returns how much the worker's memory grew meanwhile."""
        worker = gateway.worker()
        before = memory(worker)
        most = before
        piece = b"A" * (1 << 20)
        with contextlib.suppress(ConnectionError):
            for _ in range(octets >> 20):
                client.send(piece)
                most = max(most, memory(worker))
        return most - before

    def test_line(self) -> None:
        """A GiB in one line. Each octet is read and forgotten; the line is one error."""
        with Gateway() as gateway, gateway.connect() as client:
            client.start("EHLO client")
            grown = self.flood(gateway, client, 1 << 30)
            client.send(b"\r\nNOOP\r\n")
            self.assertRegex(client.reply(), r"^500 5\.5\.\d ")
            self.assertRegex(client.reply(), r"^250 2\.0\.0 ")
            self.assertLess(grown, 16 << 20)
            gateway.wait_for("violation", what="line_too_long")
            self.assertLess(len(gateway.events("command", code=500)[0]["line"]), 13000)
            self.others_are_served(gateway)

    def test_message(self) -> None:
        """A message above the limit, all in one line: read to its end, not kept, and none of it is a command."""
        with Gateway(limits="message_size: 1M") as gateway, gateway.connect() as client:
            client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
            grown = self.flood(gateway, client, 128 << 20)
            self.assertRegex(client.say("\r\nQUIT\r\n."), r"^552 5\.3\.4 ")
            self.assertEqual(client.say("NOOP")[:3], "250")
            self.assertLess(grown, 16 << 20)
            self.assertEqual(list((gateway.folder / "spool").iterdir()), [])

    def test_client_that_reads_nothing(self) -> None:
        """Commands without end from a client that reads no reply: its commands wait, the memory does not grow."""
        with Gateway() as gateway, gateway.connect() as client:
            client.start("EHLO client")
            client.sock.settimeout(1)
            worker = gateway.worker()
            before = memory(worker)
            with contextlib.suppress(socket.timeout):
                for _ in range(1000):
                    client.send(b"HELP\r\n" * 10000)
            self.assertLess(memory(worker) - before, 16 << 20)
            self.others_are_served(gateway)


class Connections(Limits):
    def refused(self, gateway: Gateway, source: str = "127.0.0.1") -> None:
        with gateway.connect(source) as client:
            # It stands in place of the greeting, which has no enhanced code (RFC 2034 section 3).
            self.assertEqual(client.reply(), "421 mx.example.com Too many connections, try again later")
            self.assertEqual(client.reply(), "")

    def test_all(self) -> None:
        with Gateway(limits="connections: 20, connections_per_client: 1000", workers=2) as gateway:
            clients = [gateway.connect() for _ in range(20)]
            for client in clients:
                client.start("EHLO client")
            for _ in range(10):
                self.refused(gateway)
            self.assertEqual(clients[0].say("QUIT")[:3], "221")
            gateway.wait_for("disconnect", reason="quit")
            with gateway.connect() as client:
                client.start("EHLO client")
            for client in clients:
                client.close()
            gateway.wait_for("disconnect", 10, reason="connections")

    def test_one_client(self) -> None:
        """Its connections count together wherever they ended up; another client is not concerned."""
        with Gateway(limits="connections_per_client: 5", workers=2) as gateway:
            clients = [gateway.connect("127.0.0.2") for _ in range(5)]
            for client in clients:
                client.start("EHLO client")
            for _ in range(20):  # on both workers
                self.refused(gateway, "127.0.0.2")
            with gateway.connect("127.0.0.3") as other:
                other.start("EHLO client")
            self.assertEqual(clients[0].say("QUIT")[:3], "221")
            clients[1].reset()
            gateway.wait_for("disconnect", reason="quit")
            gateway.wait_for("disconnect", reason="client_gone")
            clients[0].close()
            for place in (0, 1):
                clients[place] = gateway.connect("127.0.0.2")
                clients[place].start("EHLO client")
            self.refused(gateway, "127.0.0.2")
            for client in clients:
                client.close()

    def test_a_dead_worker_holds_no_place(self) -> None:
        with Gateway(limits="connections_per_client: 5, connections: 5") as gateway:
            clients = [gateway.connect() for _ in range(5)]
            for client in clients:
                client.start("EHLO client")
            self.refused(gateway)
            os.kill(gateway.worker(), 9)
            gateway.wait_for("gateway.ready", 2)
            for client in clients:
                client.close()
            self.others_are_served(gateway)

    def test_no_descriptors(self) -> None:
        """New clients wait in the kernel's queue, those that are in go on, and it does not spin."""
        with Gateway(limits="connections_per_client: 1000") as gateway:
            worker = gateway.worker()
            inside = [gateway.connect() for _ in range(10)]
            for client in inside:
                client.start("EHLO client")
            usual = resource.prlimit(worker, resource.RLIMIT_NOFILE)
            used = max(int(name) for name in os.listdir(f"/proc/{worker}/fd"))
            resource.prlimit(worker, resource.RLIMIT_NOFILE, (used + 6, usual[1]))
            waiting = [gateway.connect() for _ in range(40)]
            wait_until(lambda: "no more connections" in gateway.log_text(), "the warning")
            for client in inside:
                self.assertEqual(client.say("NOOP")[:3], "250")
            before = self.processor_time(worker)
            time.sleep(2)
            self.assertLess(self.processor_time(worker) - before, 0.2)
            resource.prlimit(worker, resource.RLIMIT_NOFILE, usual)
            for client in waiting:
                client.start("EHLO client", "MAIL FROM:<a@example.org>")
            for client in inside + waiting:
                client.close()
            self.others_are_served(gateway)

    def processor_time(self, pid: int) -> float:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    unittest.main()
