"""What tests of relays say to gatepost, and how they find a message again at the server behind it."""

import hashlib
import re
import smtplib
from typing import Any, Iterable, List, Set

from gateway import Client, Gateway

START = b"X-Test-Start: "


def delivery(kind: str, addresses: Iterable[str], *lines: str) -> str:
    """The part of the configuration: one relay to these addresses."""
    quoted = ", ".join(f"'{address}'" for address in addresses)
    return "".join(f"{line}\n    " for line in (f"{kind}: [{quoted}]", *lines))


def octets(number: int, size: int = 3000) -> bytes:
    """A message with all that a relay could get wrong: dots, empty and long lines, 8 bits, lines of every length."""
    lines = [START + b"%d" % number, b"Subject: Gr\xc3\xbc\xc3\x9fe", b"", b".", b"..", b".dot", b"", b"x" * 998, b". " + b"\xe4" * 50]
    length = 0
    while sum(map(len, lines)) + 2 * len(lines) < size:
        length = (length + 1) % 990
        lines.append((b"." if length % 3 == 0 else b"") + b"%d " % length + b"y" * length)
    return b"\r\n".join(lines) + b"\r\n"


def stuffed(message: bytes) -> bytes:
    """As DATA wants it, with its end."""
    return re.sub(rb"(?m)^\.", b"..", message) + b".\r\n"


def content(stored: bytes) -> bytes:
    """What the client sent, of a message in a file of the server, which may have LF for CRLF."""
    found = stored[stored.index(START) :]
    return found if b"\r\n" in found else found.replace(b"\n", b"\r\n")


def digests(messages: Iterable[bytes]) -> List[str]:
    return sorted(hashlib.sha256(message).hexdigest() for message in messages)


def mail(client: Client, message: bytes, recipients: Iterable[str] = ("b@example.com",), parameters: str = "") -> str:
    """One transaction in which every recipient is accepted; the reply to the message."""
    replies = [client.say(f"MAIL FROM:<a@example.org>{parameters}")]
    replies += [client.say(f"RCPT TO:<{recipient}>") for recipient in recipients]
    replies.append(client.say("DATA"))
    assert [reply[:3] for reply in replies] == ["250"] * (len(replies) - 1) + ["354"], replies
    client.send(stuffed(message))
    return client.reply()


def send(gateway: Gateway, message: bytes, recipients: Iterable[str] = ("b@example.com",), source: str = "127.0.0.1") -> str:
    """The same in a session of its own."""
    with gateway.connect(source) as client:
        client.start("EHLO client.example.net")
        return mail(client, message, recipients)


def offered(gateway: Gateway) -> Set[str]:
    """What gatepost says to EHLO, without parameters, and with that of SIZE."""
    with smtplib.SMTP("127.0.0.1", gateway.port, timeout=60) as client:
        client.ehlo("client.example.net")
        return {name.upper() for name in client.esmtp_features} | {f"SIZE {client.esmtp_features.get('size')}"}


def no_spool(gateway: Gateway) -> Any:
    """A condition for wait_until: nothing of a message is left."""
    return lambda: not any((gateway.folder / "spool").iterdir())
