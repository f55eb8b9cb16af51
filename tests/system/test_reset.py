"""A client's RST in every state of a session: no crash, no leak, one disconnect event with its reason.

The gateway runs with AddressSanitizer and must end with code 0: a leak or a bad access fails the test.
"""

import pathlib
import socket
import ssl
from typing import Any, Callable, List, Tuple

from gateway import PATIENCE, Client, Gateway, service_process, socket_folder, unittest, wait_until

SLOW = """
service = gatepost.Service("slow", window=256, body=["path"])
async def slow(request):
    name = request.context.get("helo", {}).get("name", request.context.get("tls", {}).get("sni"))
    if name == "slow-" + request.hook or request.args.get("name") == "slow-" + request.hook:
        with open(HELD, "a") as file:
            file.write("x")
        await asyncio.sleep(3600)
    return gatepost.accept()
for hook in ("connect", "ehlo", "starttls", "secure", "mail", "rcpt", "data", "message"):
    getattr(service, hook)(slow)
@service.auth
async def auth(request):
    await slow(request)
    return gatepost.reject()
service.disconnect(lambda request: None)
"""

MAIL, RCPT = "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>"


def nothing(client: Client) -> None:
    del client


def said(*lines: str) -> Callable[[Client], None]:
    return lambda client: client.start(*lines)


def then(*lines: str, octets: bytes) -> Callable[[Client], None]:
    def act(client: Client) -> None:
        client.start(*lines)
        client.send(octets)

    return act


def tls(server: bool, *lines: str, octets: bytes = b"EHLO x\r\nMAIL FR", sni: str = "x") -> Callable[[Client], None]:
    """In the middle of a handshake, or after it and these lines."""

    def act(client: Client) -> None:
        client.start("EHLO x", "STARTTLS")
        if not server:
            client.send(b"\x16\x03\x01\x02\x00\x01")  # the start of a ClientHello
            return
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.close_file()
        client.sock = context.wrap_socket(client.sock, server_hostname=sni)
        client._file = client.sock.makefile("rb")
        for line in lines:
            assert client.say(line)[:1] in "23", line
        client.send(octets)

    return act


STATES: List[Tuple[str, Callable[[Client], None], str]] = [
    ("before the banner", nothing, "client_gone"),
    ("after the banner", lambda client: (client.reply(), None)[1], "client_gone"),
    ("in a command", then(octets=b"EHL"), "client_gone"),
    ("after EHLO", said("EHLO x"), "client_gone"),
    ("after MAIL", said("EHLO x", MAIL), "client_gone"),
    ("after RCPT", said("EHLO x", MAIL, RCPT), "client_gone"),
    ("after DATA", said("EHLO x", MAIL, RCPT, "DATA"), "client_gone"),
    ("in a small message", then("EHLO x", MAIL, RCPT, "DATA", octets=b"Subject: x\r\n\r\n."), "client_gone"),
    ("in a large message", then("EHLO x", MAIL, RCPT, "DATA", octets=b"x" * 78 + b"\r\n" + b"y\r\n" * 100000), "client_gone"),
    ("after the final dot", then("EHLO x", MAIL, RCPT, "DATA", octets=b"Subject: x\r\n\r\nx\r\n.\r\n"), "client_gone"),
    ("in a chunk", then("EHLO x", MAIL, RCPT, octets=b"BDAT 1000\r\nSubject: x\r\n"), "client_gone"),
    ("between two chunks", said("EHLO x", MAIL, RCPT, "BDAT 4\r\nab"), "client_gone"),
    ("after the last chunk", then("EHLO x", MAIL, RCPT, octets=b"BDAT 4 LAST\r\nab\r\n"), "client_gone"),
    ("in the octets of a refused chunk", then("EHLO x", octets=b"BDAT 1000\r\nSubject: x\r\n"), "client_gone"),
    ("after STARTTLS", said("EHLO x", "STARTTLS"), "client_gone tls"),
    ("in a handshake", tls(False), "client_gone tls"),
    ("in TLS", tls(True), "client_gone tls"),
    ("in AUTH", tls(True, "EHLO x", "AUTH LOGIN"), "client_gone tls"),
    ("while auth is asked", tls(True, "EHLO slow-auth", octets=b"AUTH PLAIN AGEAYg==\r\n"), "client_gone tls"),
    ("while a wrong password is answered", tls(True, "EHLO x", octets=b"AUTH PLAIN AGEAYg==\r\n"), "client_gone tls"),
    ("while secure is asked", tls(True, octets=b"", sni="slow-secure"), "client_gone tls"),
    ("with unread replies", then("EHLO x", octets=b"NOOP\r\n" * 10000), "client_gone errors commands"),
    ("while ehlo is asked", then(octets=b"EHLO slow-ehlo\r\n"), "client_gone"),
    ("while mail is asked", then("EHLO slow-mail", octets=MAIL.encode() + b"\r\n"), "client_gone"),
    ("while rcpt is asked", then("EHLO slow-rcpt", MAIL, octets=RCPT.encode() + b"\r\n"), "client_gone"),
    ("while data is asked", then("EHLO slow-data", MAIL, RCPT, octets=b"DATA\r\nmore"), "client_gone"),
    ("while starttls is asked", then("EHLO slow-starttls", octets=b"STARTTLS\r\n"), "client_gone"),
    (
        "while message is asked",
        then("EHLO slow-message", MAIL, RCPT, "DATA", octets=b"x" * 78 + b"\r\n" + b"y\r\n" * 50000 + b".\r\n"),
        "client_gone",
    ),
    ("after QUIT", then("EHLO x", octets=b"QUIT\r\n"), "quit client_gone"),
]


class Reset(unittest.TestCase):
    def play(self, gateway: Gateway, rounds: int, held: pathlib.Path) -> None:
        for name, act, reasons in STATES:
            for number in range(rounds):
                with self.subTest(state=name, round=number):
                    before, questions = len(gateway.events("disconnect")), held.stat().st_size
                    client = gateway.connect()
                    act(client)
                    if name.endswith(" is asked"):
                        wait_until(lambda: held.stat().st_size > questions, "the question")
                    client.reset()
                    found = gateway.wait_for("disconnect", before + 1)
                    self.assertEqual(len(found), before + 1)
                    self.assertIn(found[-1]["reason"], reasons.split())
        self.assertEqual(len(gateway.events("connect")), len(gateway.events("disconnect")))
        self.assertEqual(list((gateway.folder / "spool").iterdir()), [])
        self.assertEqual(list((gateway.folder / "mail" / "tmp").iterdir()), [])
        with gateway.connect() as client:
            client.start("EHLO alive", MAIL, RCPT)

    def test_every_state_with_a_service(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", f"HELD = '{folder}/held'\n" + SLOW):
            (held := folder / "held").touch()
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options="    timeout: 100s\n", listener="    auth: true\n") as gateway:
                self.play(gateway, 3, held)

    def test_before_the_banner(self) -> None:
        """While connect is asked, while the client's name is looked up, while it has to be silent, in the load balancer's header."""
        slow = "service = gatepost.Service('slow')\n@service.connect\nasync def slow(request):\n    await asyncio.sleep(3600)\n"
        with socket_folder() as folder, service_process(f"{folder}/p.sock", slow):
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options="    timeout: 100s\n") as gateway:
                self.reset_early(gateway, lambda n: len(gateway.events("connect")) == n)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silent.settimeout(PATIENCE)
            extra = f"resolver: {{servers: ['127.0.0.1:{silent.getsockname()[1]}'], timeout: 30s}}\n"
            with Gateway(listener="    resolve_names: true\n", extra=extra) as gateway:
                self.reset_early(gateway, lambda n: silent.recv(512))
        with Gateway(limits="banner_wait: 30s") as gateway:
            self.reset_early(gateway, lambda n: len(gateway.events("connect")) == n)
        with Gateway(listener="    proxy_protocol: [127.0.0.1/32]\n") as gateway:
            for octets in (b"", b"PROXY TCP4 192.0", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\1"):
                client = gateway.connect()
                client.send(octets)
                client.reset()
            # Who has not said for whom it speaks is nobody's session.
            with gateway.connect() as client:
                client.send(b"PROXY TCP4 192.0.2.1 192.0.2.2 4001 25\r\n")
                client.start("EHLO alive")
            self.assertEqual([event["ip"] for event in gateway.wait_for("connect")], ["192.0.2.1"])

    def reset_early(self, gateway: Gateway, reached: Callable[[int], Any]) -> None:
        for number in range(1, 4):
            client = gateway.connect()
            wait_until(lambda: reached(number), "the state")
            client.reset()
            found = gateway.wait_for("disconnect", number)
            self.assertEqual((len(found), found[-1]["reason"]), (number, "client_gone"))

    def test_implicit_tls(self) -> None:
        with Gateway() as gateway:
            for octets in (b"", b"\x16", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"EHLO in clear\r\n", b"\x80" * 300):
                for half_close in (False, True):
                    with self.subTest(octets=octets, half_close=half_close):
                        before = len(gateway.events("disconnect"))
                        client = Client(gateway.tls_port)
                        client.send(octets)
                        if half_close:
                            client.sock.shutdown(socket.SHUT_WR)
                            client.close()
                        else:
                            client.reset()
                        found = gateway.wait_for("disconnect", before + 1)
                        self.assertIn(found[-1]["reason"], ("client_gone", "tls"))


if __name__ == "__main__":
    unittest.main()
