"""One SMTP connection of the load: it knows every reply it got, and can hang up at any octet."""

import array
import asyncio
import contextlib
import random
import socket
import ssl
import struct
from dataclasses import dataclass, field
from typing import List, Optional, Tuple

PATIENCE = 60.0


class Closed(Exception):
    """The gateway has closed the connection, though this client waits for a reply."""


class Left(Exception):
    """This client has hung up."""


@dataclass
class Letter:
    """A message as its client knows it."""

    number: int
    word: str
    recipients: Tuple[str, ...] = ()
    """Those that were accepted."""
    size: int = 0
    """Octets of its body."""
    chunks: bool = False
    """By BDAT."""
    complete: bool = False
    """All octets were sent."""
    code: int = 0
    """The reply to the end of it; 0: none came."""
    transaction: str = ""


@dataclass
class Visit:
    """A connection as its client knows it. Its address belongs to it alone, for the whole run."""

    number: int
    kind: str
    """The listener's name."""
    manner: str
    began: float
    ended: float = 0.0
    ip: str = ""
    """As the gateway knows the client."""
    codes: "array.array[int]" = field(default_factory=lambda: array.array("H"))
    """Of all replies."""
    letters: List[Letter] = field(default_factory=list)
    refused: List[str] = field(default_factory=list)
    """Words of the recipients that were refused."""
    secure: bool = False
    surprises: List[str] = field(default_factory=list)
    """Replies to MAIL and RCPT that are not what the words ask for."""
    late: int = 0
    """Recipients that were put off for no word: a service was late."""
    end: str = ""
    """quit, left (the client), closed (the gateway, which has said so), broken (the gateway, without a word), hung, refused."""


class Wire:
    def __init__(self, visit: Visit, chance: random.Random) -> None:
        self.visit, self.chance = visit, chance
        self.fuse: Optional[int] = None
        """So many sends are made whole; in the middle of the next one the client hangs up."""
        self.secure = self.ended = False

    async def open(self, port: int, source: str, tls: Optional[ssl.SSLContext]) -> None:
        self.reader, self.writer = await asyncio.wait_for(
            asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0), ssl=tls, server_hostname="mx.example.com" if tls else None), PATIENCE
        )
        self.secure = self.visit.secure = tls is not None

    async def start_tls(self, tls: ssl.SSLContext) -> None:
        await asyncio.wait_for(self.writer.start_tls(tls, server_hostname="mx.example.com"), PATIENCE)
        self.secure = self.visit.secure = True

    async def reply(self) -> Tuple[int, str]:
        """The next reply: its code and its last line."""
        while True:
            try:
                line = await asyncio.wait_for(self.reader.readline(), PATIENCE)
            except (OSError, ssl.SSLError):
                raise Closed from None
            if not line.endswith(b"\n"):
                raise Closed
            if line[3:4] != b"-":
                code = int(line[:3])
                self.visit.codes.append(code)
                return code, line.decode("latin-1").rstrip()

    async def send(self, octets: bytes) -> None:
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                with contextlib.suppress(OSError, ssl.SSLError):
                    self.writer.write(octets[: self.chance.randrange(len(octets))])
                raise Left
        self.writer.write(octets)
        # A gateway that refuses may have closed: its reply is still to be read.
        with contextlib.suppress(OSError, ssl.SSLError):
            await asyncio.wait_for(self.writer.drain(), PATIENCE)

    async def say(self, line: str) -> Tuple[int, str]:
        await self.send(line.encode() + b"\r\n")
        return await self.reply()

    def half_close(self) -> None:
        if not self.secure:
            self.ended = True
            self.writer.write_eof()

    async def close(self, reset: bool = False) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, asyncio.TimeoutError):
            if reset:
                sock: Optional[socket.socket] = self.writer.get_extra_info("socket")
                if sock:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.writer.transport.abort()
            else:
                self.writer.close()
            await asyncio.wait_for(self.writer.wait_closed(), 5)
