"""Mail servers relay through gatepost: Postfix's and Exim's own SMTP clients, with all they make use of."""

import contextlib
import os
import pathlib
import re
import shutil
import smtplib
import subprocess
import tempfile
from typing import Any, List, Set

from gateway import PATIENCE, Gateway, free_port, unittest, wait_until
from programs import exim, must_run

MAIN_CF = """
compatibility_level = 3.6
myhostname = sender.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
queue_directory = FOLDER/queue
data_directory = FOLDER/data
maillog_file = FOLDER/log/mail.log
maillog_file_prefixes = FOLDER
relayhost = [127.0.0.1]:PORT
relay_domains = example.com
smtpd_relay_restrictions = permit_mynetworks, reject
default_destination_concurrency_limit = 20
initial_destination_concurrency = 20
smtputf8_enable = yes
minimal_backoff_time = 300s
bounce_queue_lifetime = 0
EXTRA
"""

MASTER_CF = """
127.0.0.1:SMTPD inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
postlog unix-dgram n - n - 1 postlogd
"""


class Postfix:
    """A Postfix of its own that hands all mail to the gateway; it shares nothing with one the machine may have."""

    def __init__(self, port: int, extra: str) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="postfix.", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self.smtpd = free_port()
        for name in ("etc", "queue", "data", "log"):
            (self.folder / name).mkdir()
        shutil.chown(self.folder / "data", "postfix")
        for name, text in (("main.cf", MAIN_CF), ("master.cf", MASTER_CF)):
            text = text.replace("FOLDER", str(self.folder)).replace("PORT", str(port)).replace("SMTPD", str(self.smtpd))
            (self.folder / "etc" / name).write_text(text.replace("EXTRA", extra).lstrip())

    def control(self, action: str) -> str:
        return must_run("postfix", "-c", str(self.folder / "etc"), action)

    def log(self) -> str:
        return (self.folder / "log" / "mail.log").read_text() if (self.folder / "log" / "mail.log").exists() else ""

    def is_empty(self) -> bool:
        queues = ("incoming", "maildrop", "active", "deferred")
        return not any(path.is_file() for queue in queues for path in (self.folder / "queue" / queue).rglob("*"))

    def __enter__(self) -> "Postfix":
        try:
            self.control("start")
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, kind: Any, *unused: Any) -> None:
        if kind:
            print(f"--- log of Postfix\n{self.log()[-6000:]}")
        self.remove()

    def remove(self) -> None:
        pid_file = self.folder / "queue" / "pid" / "master.pid"
        with contextlib.suppress(OSError, ValueError):
            pid = int(pid_file.read_text())
            self.control("stop")
            wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of Postfix")
        shutil.rmtree(self.folder)


def transaction_ids(gateway: Gateway) -> List[str]:
    found = []
    for path in gateway.stored():
        match = re.search(rb"\(gatepost\) with \w+ id ([0-9A-Z]{20})", path.read_bytes())
        assert match, path
        found.append(match.group(1).decode())
    return found


class FromPostfix(unittest.TestCase):
    def inject(self, postfix: Postfix, count: int) -> None:
        envelope = ["-f", "a@example.org", "-t", "b@example.com", "-l", "4096"]
        must_run("smtp-source", "-s", "10", "-m", str(count), "-N", *envelope, f"127.0.0.1:{postfix.smtpd}")

    def expect(self, gateway: Gateway, postfix: Postfix, count: int) -> Set[str]:
        """Each message is stored once, what Postfix was told is what was stored, and its queue is empty."""
        deliveries = gateway.wait_for("delivery", count)
        self.assertEqual({event["code"] for event in deliveries}, {250})
        wait_until(postfix.is_empty, "an empty queue")
        sent = re.findall(r"status=sent \(250 2\.0\.0 OK id=([0-9A-Z]{20})\)", postfix.log())
        stored = transaction_ids(gateway)
        self.assertEqual(len(stored), count)
        self.assertEqual(set(stored), set(sent))
        self.assertEqual(set(stored), {event["transaction"] for event in deliveries})
        self.assertNotRegex(postfix.log(), r"status=(deferred|bounced)|fatal|panic|protocol error")
        self.assertEqual(gateway.events("violation") + gateway.events("GAP"), [])
        wait_until(lambda: len(gateway.events("disconnect")) == len(gateway.events("connect")), "the end of all connections")
        # Postfix does not say QUIT where its cache of connections gives one up.
        said = {event["session"] for event in gateway.events("command", line="QUIT")}
        for event in gateway.events("disconnect"):
            self.assertEqual(event["reason"], "quit" if event["session"] in said else "client_gone")
        return set(stored)

    def test_five_hundred(self) -> None:
        with Gateway(workers=2) as gateway, Postfix(gateway.port, "smtp_tls_security_level = none") as postfix:
            self.inject(postfix, 500)
            self.expect(gateway, postfix, 500)
            verbs = {event["line"].split()[0] for event in gateway.events("command") if event.get("line")}
            # Postfix 3.7 pipelines but speaks no BDAT as a client.
            self.assertEqual(verbs, {"EHLO", "MAIL", "RCPT", "DATA", "RSET", "QUIT"})
            with gateway.connect() as client:
                client.start()
                client.send(b"EHLO client\r\n")
                offered = b""
                while not re.search(rb"^250 ", offered, re.M):
                    offered += client.sock.recv(65536)
                for word in (b"PIPELINING", b"CHUNKING", b"SMTPUTF8", b"8BITMIME", b"ENHANCEDSTATUSCODES", b"SIZE "):
                    self.assertIn(word, offered)
                client.sock.sendall(b"QUIT\r\n")

    def test_tls(self) -> None:
        extra = "smtp_tls_security_level = verify\nsmtp_tls_CAfile = {}/cert.pem\nsmtp_tls_verify_cert_match = mx.example.com"
        with Gateway() as gateway:
            with Postfix(gateway.port, extra.format(gateway.folder) + "\nsmtp_tls_loglevel = 1") as postfix:
                self.inject(postfix, 50)
                self.expect(gateway, postfix, 50)
                self.assertIn("Verified TLS connection established", postfix.log())
                self.assertTrue(all(b"with ESMTPS id" in path.read_bytes() for path in gateway.stored()))

    def test_smtputf8(self) -> None:
        with Gateway() as gateway, Postfix(gateway.port, "smtp_tls_security_level = may") as postfix:
            with smtplib.SMTP("127.0.0.1", postfix.smtpd, timeout=30) as client:
                message = "From: jürgen@example.org\r\nSubject: Grüße\r\n\r\nhi\r\n".encode()
                client.sendmail("jürgen@example.org", ["用户@example.com"], message, ["SMTPUTF8", "BODY=8BITMIME"])
            self.expect(gateway, postfix, 1)
            self.assertEqual(gateway.events("mail")[0]["address"], "jürgen@example.org")
            self.assertEqual(gateway.events("rcpt")[0]["address"], "用户@example.com")
            self.assertIn("with UTF8SMTPS id", gateway.stored()[0].read_text())

    def test_refused_recipient(self) -> None:
        """Of two recipients one is refused: the other gets the message, the refusal is Postfix's bounce."""
        with Gateway() as gateway, Postfix(gateway.port, "smtp_tls_security_level = none") as postfix:
            with smtplib.SMTP("127.0.0.1", postfix.smtpd, timeout=30) as client:
                client.sendmail("sender@example.com", ["b@example.com", "x@relay.example"], b"Subject: two\r\n\r\nhi\r\n")
            gateway.wait_for("delivery", 2, code=250)
            self.assertRegex(postfix.log(), r"to=<x@relay\.example>.*dsn=5\.7\.1, status=bounced")
            self.assertRegex(postfix.log(), r"to=<b@example\.com>.*dsn=2\.0\.0, status=sent")
            bounce = next(path.read_text() for path in gateway.stored() if "Return-Path: <>" in path.read_text())
            self.assertIn("550 5.7.1", bounce)


EXIM_CONF = """
primary_hostname = sender.example.net
spool_directory = FOLDER/spool
log_file_path = FOLDER/log/%slog
exim_user = nobody
exim_group = nogroup
exim_path = PROGRAM
deliver_drop_privilege = true
never_users = root
trusted_users = root
disable_ipv6
hosts_connection_nolog = *
smtputf8_advertise_hosts = *
accept_8bitmime
qualify_domain = example.org
keep_environment = PATH : LD_PRELOAD : ^NSS_WRAPPER_
acl_not_smtp = accept
daemon_smtp_ports =
begin routers
gateway:
  driver = manualroute
  route_list = * 127.0.0.1::PORT
  transport = gateway
  self = send
  no_more
begin transports
gateway:
  driver = smtp
  hosts_try_chunking = CHUNKING
  allow_localhost
EXTRA
begin retry
* * F,2h,15m
"""


class Exim:
    """An Exim of its own, run once for each message; it needs no daemon."""

    def __init__(self, port: int, chunking: str, extra: str) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="exim.", dir="/var/tmp"))
        self.folder.chmod(0o755)
        for name in ("spool", "log"):
            (self.folder / name).mkdir()
            shutil.chown(self.folder / name, "nobody", "nogroup")
        self.config = self.folder / "exim.conf"
        text = EXIM_CONF.replace("FOLDER", str(self.folder)).replace("PORT", str(port)).replace("CHUNKING", chunking)
        text = text.replace("PROGRAM", str(exim()))
        self.config.write_text(text.replace("EXTRA", extra).lstrip())
        self.environment = dict(os.environ, LD_PRELOAD="libnss_wrapper.so")
        # Exim wants an account that its package would make. It only has to be there.
        for kind, line in (("passwd", "Debian-exim:x:65534:65534::/:/bin/false"), ("group", "Debian-exim:x:65534:")):
            path = self.folder / kind
            path.write_text(f"{line}\n" + pathlib.Path("/etc", kind).read_text())
            self.environment["NSS_WRAPPER_" + kind.upper()] = str(path)

    def send(self, message: bytes, sender: str, *recipients: str) -> None:
        command = [str(exim()), "-C", str(self.config), "-odf", "-i", "-f", sender, *recipients]
        result = subprocess.run(
            command, input=message, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, env=self.environment
        )
        assert result.returncode == 0, result.stdout

    def log(self) -> str:
        return "".join(path.read_text() for path in sorted((self.folder / "log").iterdir()))

    def __enter__(self) -> "Exim":
        return self

    def __exit__(self, kind: Any, *unused: Any) -> None:
        if kind:
            print(f"--- log of Exim\n{self.log()[-6000:]}")
        shutil.rmtree(self.folder)


class FromExim(unittest.TestCase):
    def send(self, gateway: Gateway, chunking: str, extra: str = "") -> str:
        with Exim(gateway.port, chunking, extra) as postman:
            for number in range(20):
                # A message longer than one chunk, lines that begin with dots, and one of 8 bits.
                body = b"".join(b".%d %s\n" % (line, b"x" * 60) for line in range(number * 50)) + "Grüße\n".encode()
                postman.send(b"Subject: %d\n\n" % number + body, "a@example.org", "b@example.com", "c@example.com")
            gateway.wait_for("delivery", 20, code=250)
            log = postman.log()
            self.assertEqual(len(re.findall(r"^\S+ \S+ \S+ (?:=>|->) [bc]@example\.com ", log, re.M)), 40)
            self.assertEqual(len(gateway.stored()), 20)
            for path in gateway.stored():
                content = path.read_bytes()
                match = re.search(rb"^Subject: (\d+)\r$", content, re.M)
                assert match, content
                lines = content.partition(b"\r\n\r\n")[2].splitlines()
                self.assertEqual(len(lines), int(match.group(1)) * 50 + 1)
                self.assertTrue(all(line == b".%d %s" % (n, b"x" * 60) for n, line in enumerate(lines[:-1])))
                self.assertEqual(lines[-1].decode(), "Grüße")
            self.assertEqual(set(re.findall(r'C="250 2\.0\.0 OK id=([0-9A-Z]{20})"', log)), set(transaction_ids(gateway)))
            return log

    def test_data(self) -> None:
        with Gateway() as gateway:
            self.send(gateway, "", "  hosts_avoid_tls = *\n")
            self.assertEqual(len(gateway.events("data", code=354)), 20)

    def test_chunking(self) -> None:
        with Gateway() as gateway:
            log = self.send(gateway, "*", "  hosts_avoid_tls = *\n")
            self.assertEqual(len(re.findall(r" K ", log)), 40)
            lines = [event["line"] for event in gateway.events("command") if event.get("line")]
            self.assertGreaterEqual(sum(line.startswith("BDAT ") for line in lines), 20)
            self.assertEqual([line for line in lines if line.startswith("DATA")], [])

    def test_tls(self) -> None:
        with Gateway() as gateway:
            extra = f"  hosts_require_tls = *\n  tls_verify_certificates = {gateway.folder}/cert.pem\n  tls_verify_cert_hostnames =\n"
            log = self.send(gateway, "*", extra)
            self.assertEqual(log.count(" CV=yes"), 40)
            self.assertTrue(all(b"with ESMTPS id" in path.read_bytes() for path in gateway.stored()))


if __name__ == "__main__":
    unittest.main()
