"""A client's RST in every state of a session: no crash, no leak, one disconnect event with its reason.

The gateway runs with AddressSanitizer and must end with code 0: a leak or a bad access fails the test.
"""

import socket
import ssl
from typing import Callable, List, Tuple

from gateway import Client, Gateway, service_process, socket_folder, unittest

SLOW = """
service = gatepost.Service("slow", window=256, body=["path"])
async def slow(request):
    name = request.context.get("helo", {}).get("name", "")
    if name == "slow-" + request.hook or request.args.get("name") == "slow-" + request.hook:
        await asyncio.sleep(3600)
    return gatepost.accept()
for hook in ("connect", "ehlo", "starttls", "secure", "mail", "rcpt", "data", "message"):
    getattr(service, hook)(slow)
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


def tls(server: bool) -> Callable[[Client], None]:
    """In the middle of a handshake, or after it."""

    def act(client: Client) -> None:
        client.start("EHLO x", "STARTTLS")
        if not server:
            client.send(b"\x16\x03\x01\x02\x00\x01")  # the start of a ClientHello
            return
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        client.close_file()
        client.sock = context.wrap_socket(client.sock)
        client.sock.sendall(b"EHLO x\r\nMAIL FR")

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
    ("after STARTTLS", said("EHLO x", "STARTTLS"), "client_gone tls"),
    ("in a handshake", tls(False), "client_gone tls"),
    ("in TLS", tls(True), "client_gone tls"),
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
    def play(self, gateway: Gateway, rounds: int) -> None:
        for name, act, reasons in STATES:
            for number in range(rounds):
                with self.subTest(state=name, round=number):
                    before = len(gateway.events("disconnect"))
                    client = gateway.connect()
                    act(client)
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
        with socket_folder() as folder, service_process(f"{folder}/p.sock", SLOW):
            with Gateway(policies={"p": f"{folder}/p.sock"}, policy_options="    timeout: 100s\n") as gateway:
                self.play(gateway, 3)

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
