"""The words that say what is to become of a message: clients write them, services and the sink obey.

The local part of each address is WORD.NUMBER. The sender's word is about the message, a recipient's about this recipient.
"""

import hashlib
import pathlib
import random
import re
import sys
from typing import Dict, List, NamedTuple, Optional, Tuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[1:1] = [str(ROOT / "clients" / "python"), str(ROOT / "tests" / "system")]


class Fate(NamedTuple):
    """What the client must be told at the end of its message, when all goes as its sender's word says."""

    weight: int
    codes: Tuple[int, ...]
    only: str = ""  # kind of listener


SENDERS: Dict[str, Fate] = {
    "plain": Fate(60, (250,)),
    "edit": Fate(8, (250,)),  # the fast service adds a field and changes the subject
    "held": Fate(4, (250,)),  # quarantine
    "dropped": Fate(4, (250,)),  # discard at message
    "unseen": Fate(2, (250,)),  # discard at mail: nobody is asked any more
    "refused": Fate(4, (554,)),
    "later": Fate(4, (451,)),
    "broken": Fate(2, (451,)),  # the service fails
    "nomail": Fate(2, ()),  # refused at MAIL
    "nodata": Fate(2, ()),  # refused at DATA
    "sinkno": Fate(6, (554,), "relay"),  # the next server refuses the message
    "sinklater": Fate(6, (451,), "relay"),
    "sinkcut": Fate(3, (451,), "relay"),  # and here it closes without an answer
}
RECIPIENTS: Dict[str, Fate] = {
    "ok": Fate(70, (250,)),
    "gone": Fate(4, (250,)),  # discard of this recipient
    "unknown": Fate(8, (550,)),
    "busy": Fate(5, (451,)),
    "slow": Fate(6, (250, 451)),  # the slow service takes its time, sometimes too much
    "sinkunknown": Fate(10, (550,), "relay"),
}
NO_MESSAGE = "nomail", "nodata"
SIZES = (0, 80, 4000, 4000, 4000, 4000, 16000, 16000, 30000, 90000, 300000)
BIG = (1_000_000, 5_000_000)


def choose(chance: random.Random, table: Dict[str, Fate], kind: str) -> str:
    words = [word for word, fate in table.items() if fate.only in ("", kind)]
    return chance.choices(words, [table[word].weight for word in words])[0]


def word_of(address: str) -> str:
    return address.partition(".")[0]


class Body:
    """Octets that a message may have, in the forms that clients need."""

    def __init__(self, chance: random.Random, size: int) -> None:
        lines, length = [], 0
        while length < size:
            # Lines with dots in front, empty ones, and octets above 127.
            line = chance.choice((b"", b".", b"..", b".x ", b"\xe4\xf6 ", b"From ")) + b"%07d " % length + b"y" * min(size - length, chance.randrange(150))
            lines.append(line)
            length += len(line) + 2
        self.octets = b"".join(line + b"\r\n" for line in lines)
        self.stuffed = b"".join((b"." if line.startswith(b".") else b"") + line + b"\r\n" for line in lines)
        self.sum = hashlib.sha256(self.octets).hexdigest()


class Bodies:
    def __init__(self, chance: random.Random) -> None:
        self._small = [Body(chance, size) for size in SIZES for _ in range(2)]
        self._big = [Body(chance, size) for size in BIG]

    def choose(self, chance: random.Random) -> Body:
        return chance.choice(self._big if chance.random() < 0.006 else self._small)


def header(number: int, word: str, body: Body) -> bytes:
    return f"Subject: {word}\r\nX-Number: {number}\r\nX-Sum: {body.sum}\r\n\r\n".encode()


class Found(NamedTuple):
    """A message in its last place."""

    number: int
    transaction: str
    recipients: Tuple[str, ...]


def examine(content: bytes, transaction: Optional[str] = None) -> Found:
    """Raises ValueError when the message is not whole, or not what its sender's word makes of it."""
    head, _, body = content.partition(b"\r\n\r\n")
    text = head.decode("latin-1") + "\r\n"
    number = re.search(r"^X-Number: (\d+)\r$", text, re.M)
    total = re.search(r"^X-Sum: ([0-9a-f]{64})\r$", text, re.M)
    subject = re.search(r"^Subject: (.*)\r$", text, re.M)
    if not number or not total or not subject or hashlib.sha256(body).hexdigest() != total.group(1):
        raise ValueError(f"a message is not whole: {content[:500]!r}")
    edited = subject.group(1) == "[soak] edit", re.search(r"^X-Soak: yes\r$", text, re.M) is not None
    if edited != (True, True) and (subject.group(1) == "edit" or any(edited)):
        raise ValueError(f"a message is not edited as it should: {content[:500]!r}")
    if transaction is None:
        found = re.search(r"^Received: [^\r]*(?:\r\n[ \t][^\r]*)*? id ([0-9A-Z]{20})", text, re.M)
        if not found:
            raise ValueError(f"a message without our Received: {content[:500]!r}")
        transaction = found.group(1)
    recipients: List[str] = re.findall(r"^Delivered-To: (.*)\r$", text, re.M)
    return Found(int(number.group(1)), transaction, tuple(sorted(recipients)))
