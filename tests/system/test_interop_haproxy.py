"""HAProxy in front: the client behind it is the one that counts, and its health checks cost nothing."""

import base64
import contextlib
import json
import pathlib
import smtplib
import socket
import ssl
import time
from typing import Any, Dict, Iterator, List, Optional

from gateway import Client, Gateway, free_port, service_process, socket_folder, unittest, wait_until
from programs import background, must_run

CLIENT = "127.0.0.2"
"""Where the clients of these tests come from; the balancer comes from 127.0.0.1."""

LISTED = "    proxy_protocol: [127.0.0.1/32]\n"

# Says yes, and notes of which client it was asked.
NOTING = """
import json
service = gatepost.Service("noting", window=256)
def note(request):
    with open(SEEN, "a") as file:
        file.write(json.dumps({"hook": request.hook, **request.context}) + "\\n")
    return gatepost.accept()
for hook in ("connect", "ehlo", "secure", "mail", "rcpt", "data", "message"):
    getattr(service, hook)(note)
"""

HAPROXY = """
global
	maxconn 1000
	stats socket FOLDER/haproxy.sock mode 600 level admin
defaults
	mode tcp
	timeout connect 5s
	timeout check 5s
	timeout client 60s
	timeout server 60s
"""

# How the balancer speaks to the gateway: option of its server line, how the gateway's port is checked.
WAYS = {
    "v1": ("send-proxy", "mx", "smtpchk EHLO health.example.net"),
    "v2": ("send-proxy-v2", "mx", "smtpchk EHLO health.example.net"),
    "v2-options": ("send-proxy-v2 proxy-v2-options unique-id,crc32c,authority", "mx", "smtpchk"),
    "v1-implicit": ("send-proxy check-ssl verify none", "mxs", "smtpchk EHLO health.example.net"),
    "v2-implicit": ("send-proxy-v2 check-ssl verify none", "mxs", "smtpchk EHLO health.example.net"),
}


class Balancer:
    """HAProxy with one frontend for each of WAYS; `ports` says where. Checks run when `checks` is true."""

    def __init__(self, folder: pathlib.Path, gateway: Gateway, checks: bool, ways: Dict[str, Any]) -> None:
        self.folder, self.ways = folder, ways
        self.ports = {way: free_port() for way in ways}
        text = HAPROXY.replace("FOLDER", str(folder))
        for way, (options, listener, check) in ways.items():
            port = gateway.port if listener == "mx" else gateway.tls_port
            text += f"frontend {way}\n\tbind 127.0.0.1:{self.ports[way]}\n\tunique-id-format %ci:%cp\n\tdefault_backend {way}\n"
            checked = "check inter 200ms fall 2 rise 1 check-send-proxy" if checks else ""
            text += f"backend {way}\n\toption {check}\n\tserver gatepost 127.0.0.1:{port} {options} {checked}\n"
        self.config = folder / "haproxy.cfg"
        self.config.write_text(text)

    def servers(self) -> Dict[str, Dict[str, str]]:
        """What HAProxy thinks of the gateway, by the name of the way."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.folder / "haproxy.sock"))
            sock.sendall(b"show stat -1 4 -1\n")
            lines = b"".join(iter(lambda: sock.recv(65536), b"")).decode().lstrip("# ").splitlines()
        keys = lines[0].split(",")
        rows = [dict(zip(keys, line.split(","))) for line in lines[1:] if line]
        for row in rows:  # "* L7OK" while the next check is under way
            row["check_status"] = row["check_status"].replace("* ", "")
        return {row["pxname"]: row for row in rows}


@contextlib.contextmanager
def balancer(gateway: Gateway, checks: bool = False, ways: Dict[str, Any] = WAYS) -> Iterator[Balancer]:
    with socket_folder() as folder:
        it = Balancer(folder, gateway, checks, ways)
        must_run("haproxy", "-c", "-f", str(it.config))
        sock = folder / "haproxy.sock"
        with background(["haproxy", "-db", "-f", str(it.config)], folder / "log", sock.exists):
            yield it


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def deliver(port: int, tls: str) -> int:
    """Sends a message as CLIENT; returns the port it came from."""
    make: Any = smtplib.SMTP if tls != "implicit" else smtplib.SMTP_SSL
    options = {"context": unverified()} if tls == "implicit" else {}
    with make("127.0.0.1", port, local_hostname="client.example.net", timeout=30, source_address=(CLIENT, 0), **options) as client:
        if tls == "starttls":
            client.starttls(context=unverified())
        client.sendmail("a@example.org", ["b@example.com"], b"Subject: one\r\n\r\nhi\r\n")
        return int(client.sock.getsockname()[1])


class Behind(unittest.TestCase):
    def test_every_way(self) -> None:
        with socket_folder() as folder:
            seen = folder / "seen"
            program = f"SEEN = {str(seen)!r}\n" + NOTING
            with service_process(f"{folder}/noting.sock", program):
                with Gateway(policies={"noting": f"{folder}/noting.sock"}, listener=LISTED) as gateway, balancer(gateway) as it:
                    for way, (_, listener, _) in WAYS.items():
                        for tls in ("plain", "starttls") if listener == "mx" else ("implicit",):
                            with self.subTest(way=way, tls=tls):
                                self.deliver_once(gateway, it, way, tls, seen)

    def deliver_once(self, gateway: Gateway, it: Balancer, way: str, tls: str, seen: pathlib.Path) -> None:
        before = len(gateway.events("disconnect"))
        source = deliver(it.ports[way], tls)
        connect = gateway.wait_for("connect", before + 1)[-1]
        self.assertEqual((connect["ip"], connect["port"]), (CLIENT, source))
        # Every question named the client, those after STARTTLS too.
        notes: List[Any] = [json.loads(line) for line in seen.read_text().splitlines()]
        hooks = ["connect", "ehlo", "mail", "rcpt", "data", "message"]
        hooks[2:2] = ["secure", "ehlo"] if tls == "starttls" else []
        hooks[1:1] = ["secure"] if tls == "implicit" else []
        hooks = hooks if tls != "implicit" else ["connect", "secure", *hooks[2:]]
        self.assertEqual([note["hook"] for note in notes], hooks)
        for note in notes:
            self.assertEqual((note["client"]["ip"], note["client"]["port"]), (CLIENT, source))
            self.assertEqual(note["client"]["proxy"]["ip"], "127.0.0.1")
            # unique-id-format %ci:%cp
            told = base64.b64decode(note["client"]["proxy"].get("unique_id_b64", ""))
            self.assertEqual(told.decode(), f"{CLIENT}:{source}" if way == "v2-options" else "")
        self.assertEqual("tls" in notes[-1], tls != "plain")
        seen.unlink()
        self.assertEqual(gateway.wait_for("disconnect", before + 1)[-1]["reason"], "quit")
        newest = max(gateway.stored(), key=lambda path: path.stat().st_mtime_ns).read_text()
        self.assertIn(f"[{CLIENT}]", newest.partition("\n\tby ")[0])

    def test_limits_count_the_client(self) -> None:
        """The balancer has all connections; each client has its own limit."""
        with Gateway(listener=LISTED, limits="connections_per_client: 2") as gateway, balancer(gateway) as it:
            held = []
            for source in ("127.0.0.2", "127.0.0.3", "127.0.0.4"):
                for number in range(3):
                    client = Client(it.ports["v2"], source)
                    held.append(client)
                    self.assertEqual(client.reply()[:4], "220 " if number < 2 else "421 ")
            for client in held:
                client.close()
            gateway.wait_for("disconnect", 3, reason="connections")


class HealthCheck(unittest.TestCase):
    def test_checks_cost_nothing(self) -> None:
        with socket_folder() as folder:
            seen = folder / "seen"
            with service_process(f"{folder}/noting.sock", f"SEEN = {str(seen)!r}\n" + NOTING):
                with Gateway(policies={"noting": f"{folder}/noting.sock"}, listener=LISTED) as gateway:
                    with balancer(gateway, checks=True) as it:
                        wait_until(lambda: all(row["check_status"] == "L7OK" for row in it.servers().values()), "the checks")
                        time.sleep(2)  # ten rounds more
                        for way, row in it.servers().items():
                            self.assertEqual((row["status"], row["check_status"], row["chkfail"]), ("UP", "L7OK", "0"), way)
                    self.assertFalse(seen.exists())
                    names = {event["event"] for event in list(gateway._events)}
                    self.assertEqual(names, {"gateway.start", "gateway.ready", "policy.service"})
                    self.assertNotRegex(gateway.log_text(), r"(?i)\b(warning|error)\b")

    def test_a_gateway_that_stops_is_seen(self) -> None:
        with Gateway(listener=LISTED) as gateway, balancer(gateway, checks=True) as it:
            wait_until(lambda: all(row["status"] == "UP" for row in it.servers().values()), "the checks")
            gateway.stop()
            wait_until(lambda: all(row["status"] == "DOWN" for row in it.servers().values()), "DOWN everywhere")

    def test_no_mail_under_local(self) -> None:
        """Whoever says LOCAL is the balancer itself: it is not asked about, so it must not bring mail."""
        with Gateway(listener=LISTED) as gateway, gateway.connect() as client:
            client.send(b"\r\n\r\n\0\r\nQUIT\n" + b"\x20\x00\x00\x00")
            client.start("EHLO health.example.net", "NOOP")
            self.assertRegex(client.say("MAIL FROM:<a@example.org>"), r"^[45]\d\d ")
            self.assertEqual(client.say("QUIT")[:3], "221")


class NotListed(unittest.TestCase):
    def test_header_from_anybody(self) -> None:
        """Who is not listed cannot choose its address: the header is no command."""
        listener = "    proxy_protocol: [192.0.2.0/24]\n"
        with Gateway(listener=listener) as gateway, balancer(gateway, ways={"v1": WAYS["v1"]}) as it:
            with Client(it.ports["v1"], CLIENT) as client:
                self.assertEqual([client.reply()[:3], client.reply()[:9]], ["220", "500 5.5.2"])
                self.assertEqual(client.say("EHLO client.example.net")[:3], "250")
                self.assertEqual(client.say("QUIT")[:3], "221")
            self.assertEqual([event["ip"] for event in gateway.wait_for("connect")], ["127.0.0.1"])


class Listed(unittest.TestCase):
    def closes(self, gateway: Gateway, *said: bytes, port: Optional[int] = None) -> float:
        """Seconds until the gateway closed; it must not have said anything."""
        began = time.monotonic()
        with Client(port or gateway.port) as client:
            for data in said:
                client.send(data)
            with contextlib.suppress(ConnectionResetError):
                self.assertEqual(client.sock.recv(1), b"")
        return time.monotonic() - began

    def test_header_is_owed(self) -> None:
        with Gateway(listener=LISTED) as gateway:
            for port in (gateway.port, gateway.tls_port):
                self.assertTrue(4 < self.closes(gateway, port=port) < 8)
            # What is no header closes at once; half of one is waited for, and not longer.
            for said in (b"EHLO client.example.net\r\n", b"GET / HTTP/1.0\r\n\r\n", b"\r\n\r\n\0\r\nQUIT\n\x31\x11\0\x0c" + b"x" * 12):
                self.assertLess(self.closes(gateway, said), 2)
            for said in (b"PROXY TCP4 1.2.3.4", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1\2\3"):
                self.assertTrue(4 < self.closes(gateway, said) < 8)
            for line in (b"PROXY TCP4 1.2.3.4 5.6.7.8 65536 25\r\n", b"PROXY TCP4 ::1 ::1 1 25\r\n", b"PROXY " + b"x" * 200):
                self.assertLess(self.closes(gateway, line), 2)
            self.assertEqual(gateway.events("connect") + gateway.events("command"), [])


if __name__ == "__main__":
    unittest.main()
