"""What the clients of the soak test do. Each session is one of MANNERS, by chance."""

import asyncio
import contextlib
import random
import ssl
import struct
import time
from typing import Awaitable, Callable, Dict, List, Optional, Tuple

from wire import Closed, Left, Letter, Visit, Wire
from words import RECIPIENTS, SENDERS, Bodies, Body, choose, header, word_of

KINDS = {"box": 40, "boxs": 10, "proxied": 12, "relay": 22, "app": 12, "void": 6}


class Pace:
    """Lets `rate` messages a second begin, all clients together."""

    def __init__(self, rate: float) -> None:
        self._step, self._next = 1 / rate, 0.0

    async def turn(self) -> None:
        now = time.monotonic()
        self._next = max(self._next + self._step, now - 1)
        await asyncio.sleep(max(0.0, self._next - now))


def plain_tls() -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    return tls


def proxy_header(chance: random.Random, ip: str, port: int) -> bytes:
    if chance.random() < 0.5:
        return f"PROXY TCP4 {ip} 127.0.0.1 40000 {port}\r\n".encode()
    packed = bytes(map(int, ip.split("."))) + bytes((127, 0, 0, 1)) + struct.pack(">HH", 40000, port)
    return b"\r\n\r\n\0\r\nQUIT\n\x21\x11" + struct.pack(">H", len(packed)) + packed


class Session:
    """One client: from its connection to its end."""

    numbers = iter(range(1, 10**9))

    def __init__(self, visit: Visit, port: int, pace: Pace, bodies: Bodies, tls: ssl.SSLContext, chance: random.Random) -> None:
        self.visit, self.port, self.pace, self.bodies, self.tls, self.chance = visit, port, pace, bodies, tls, chance
        self.wire = Wire(visit, chance)
        n = visit.number
        self.source = f"127.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"
        visit.ip = f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}" if visit.kind == "proxied" else self.source

    async def run(self) -> None:
        visit, reset = self.visit, False
        try:
            await self.wire.open(self.port, self.source, self.tls if visit.kind == "boxs" else None)
        except (OSError, ssl.SSLError, asyncio.TimeoutError) as error:
            # Only who was let in and then dropped in the handshake is a broken session.
            visit.end = "refused" if isinstance(error, ConnectionRefusedError) else "broken"
            visit.ended = time.time()
            return
        try:
            visit.end = await MANNERS[visit.manner][1](self)
        except Left:
            visit.end, reset = "left", self.chance.random() < 0.5
        except Closed:
            visit.end = "closed" if visit.codes and visit.codes[-1] in (421, 554) else "broken"
        except (OSError, ssl.SSLError):
            visit.end = "broken"
        except asyncio.TimeoutError:
            visit.end = "hung"
        await self.wire.close(reset)
        visit.ended = time.time()

    async def greet(self) -> None:
        if self.visit.kind == "proxied":
            await self.wire.send(proxy_header(self.chance, self.visit.ip, self.port))
        await self.wire.reply()
        await self.wire.say("EHLO client.example.net")
        if self.visit.kind not in ("boxs", "void") and self.chance.random() < 0.3:
            await self.wire.say("STARTTLS")
            await self.wire.start_tls(self.tls)
            await self.wire.say("EHLO client.example.net")

    # --- one message ---

    def _envelope(self) -> Tuple[Letter, Body, List[str]]:
        letter = Letter(next(self.numbers), choose(self.chance, SENDERS, self.visit.kind))
        count = self.chance.choice((1, 1, 1, 1, 2, 3, 6))
        words = [choose(self.chance, RECIPIENTS, self.visit.kind) for _ in range(count)]
        return letter, self.bodies.choose(self.chance), [f"{word}.{place}@example.com" for place, word in enumerate(words)]

    async def message(self, after: Optional[Callable[[], None]] = None, drip: bool = False) -> None:
        """after: called when the last octet of the message has been sent."""
        await self.pace.turn()
        letter, body, recipients = self._envelope()
        bdat = self.chance.random() < 0.3 and not drip
        letter.size, letter.chunks = len(body.octets), bdat
        commands = [f"MAIL FROM:<{letter.word}.{letter.number}@example.org>", *(f"RCPT TO:<{recipient}>" for recipient in recipients)]
        if not bdat:
            commands.append("DATA")
        replies: List[int] = []
        if self.chance.random() < 0.5:
            await self.wire.send(b"".join(command.encode() + b"\r\n" for command in commands))
            for _ in commands:
                replies.append((await self.wire.reply())[0])
        else:
            for command in commands:
                replies.append((await self.wire.say(command))[0])
                if replies[-1] >= 500 and command[0] == "M":
                    return
        self._judge(letter.word, list(map(word_of, recipients)), replies)
        accepted = [recipient for recipient, code in zip(recipients, replies[1:]) if code == 250]
        letter.recipients = tuple(sorted(accepted))
        if not bdat and replies[-1] != 354 or bdat and not (replies[0] == 250 and accepted):
            await self.wire.say("RSET")
            return
        self.visit.letters.append(letter)
        content = header(letter.number, letter.word, body)
        await (self._bdat if bdat else self._data)(letter, content, body, after, drip)

    def _judge(self, sender: str, words: List[str], replies: List[int]) -> None:
        """Whether MAIL and RCPT were answered as the words say."""
        if 421 in replies:
            return
        wanted = 550 if sender == "nomail" else 250
        if replies[0] != wanted:
            self.visit.surprises.append(f"MAIL of {sender} was answered with {replies[0]}")
        for word, code in zip(words, replies[1:] if wanted == 250 else ()):
            wanted_codes = (250,) if sender == "unseen" else RECIPIENTS[word].codes
            if code >= 400:
                self.visit.refused.append(word)
            if code == 451 and word not in ("busy", "slow"):
                self.visit.late += 1
            elif code not in wanted_codes:
                self.visit.surprises.append(f"RCPT of {word}, from {sender}, was answered with {code}")

    async def _data(self, letter: Letter, content: bytes, body: Body, after: Optional[Callable[[], None]], drip: bool) -> None:
        octets = content + body.stuffed + b".\r\n"
        if drip:
            for _ in range(self.chance.randrange(20)):
                await self.wire.send(octets[:7])
                octets = octets[7:]
                await asyncio.sleep(self.chance.uniform(0, 0.2))
        elif self.chance.random() < 0.3:
            cut = self.chance.randrange(1, len(octets))
            await self.wire.send(octets[:cut])
            octets = octets[cut:]
        await self.wire.send(octets)
        letter.complete = True
        if after:
            after()
        self._answered(letter, *await self.wire.reply())

    async def _bdat(self, letter: Letter, content: bytes, body: Body, after: Optional[Callable[[], None]], drip: bool) -> None:
        octets, pipelined, waiting = content + body.octets, self.chance.random() < 0.5, 0
        while True:
            size = self.chance.randrange(1, len(octets) + 1)
            last = size == len(octets) or len(octets) < 100 or self.chance.random() < 0.2
            chunk = octets if last else octets[:size]
            octets = octets[len(chunk) :]
            await self.wire.send(f"BDAT {len(chunk)}{' LAST' if last else ''}\r\n".encode() + chunk)
            waiting += 1
            if last:
                break
            while waiting and not pipelined:
                waiting -= 1
                if (await self.wire.reply())[0] != 250:
                    await self._refused(letter)
                    return
        letter.complete = True
        if after:
            after()
        codes = [(await self.wire.reply())[0] for _ in range(waiting - 1)]
        code, line = await self.wire.reply()
        if len(chunk) == len(content) + len(body.octets) and letter.word == "nodata" and code == 554:
            # The one chunk is the DATA of this message: it was refused as that.
            await self._refused(letter)
        elif all(code == 250 for code in codes):
            self._answered(letter, code, line)
        else:
            await self._refused(letter)

    async def _refused(self, letter: Letter) -> None:
        """Before its end, by the reply to an earlier chunk: that is like a refused DATA."""
        self.visit.letters.remove(letter)
        if not self.wire.ended:
            await self.wire.say("RSET")

    def _answered(self, letter: Letter, code: int, line: str) -> None:
        letter.code = code
        if code == 250:
            letter.transaction = line.partition(" id=")[2]

    # --- manners: each returns how the connection ended ---

    async def mail(self) -> str:
        await self.greet()
        for _ in range(self.chance.choice((1, 1, 1, 2, 3, 5))):
            await self.message()
        await self.wire.say("QUIT")
        return "quit"

    async def hang_up(self) -> str:
        self.wire.fuse = self.chance.randrange(12)
        return await self.mail()

    async def leave_before_reply(self) -> str:
        def leave() -> None:
            raise Left

        await self.greet()
        await self.message(leave)
        return await self.mail_quit()

    async def half_close(self) -> str:
        await self.greet()
        await self.message(self.wire.half_close)
        return "left" if self.wire.ended else await self.mail_quit()

    async def mail_quit(self) -> str:
        await self.wire.say("QUIT")
        return "quit"

    async def drip(self) -> str:
        await self.greet()
        await self.message(drip=True)
        return await self.mail_quit()

    async def idle(self) -> str:
        """Says nothing for a while; longer than command_timeout, sometimes."""
        if self.chance.random() < 0.7:
            await self.greet()
        with contextlib.suppress(asyncio.TimeoutError):
            while True:
                line = await asyncio.wait_for(self.wire.reader.readline(), self.chance.uniform(0, 14))
                if not line:
                    return "closed"
                if line[3:4] != b"-":
                    self.visit.codes.append(int(line[:3]))
        raise Left

    async def flood(self) -> str:
        await self.greet()
        count = self.chance.randrange(1, 600)
        await self.wire.send(b"NOOP\r\n" * count)
        for _ in range(count):
            await self.wire.reply()
        return await self.mail_quit()

    async def garbage(self) -> str:
        await self.greet()
        self.wire.fuse = 6
        while True:
            line = self.chance.choice(
                (b"MAIL FROM:<", b"RCPT TO:<a@b>\n", b"\0\r\n", b"\xff\xfe\r\n", b"NOOP\rNOOP\r\n", b"x" * 3000 + b"\r\n", b"BDAT 10\r\n", b"\r\n.\r\n")
            )
            await self.wire.send(line + self.chance.randbytes(self.chance.randrange(40)))

    async def stranger(self) -> str:
        """Speaks something else from the first octet on."""
        hello: bytes = self.chance.choice((b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"PROXY TCP4 x\r\n", b"EHLO a\r\nEHLO b\r\n"))
        await self.wire.send(hello)
        with contextlib.suppress(asyncio.TimeoutError, OSError, ssl.SSLError):
            await asyncio.wait_for(self.wire.reader.read(), self.chance.uniform(0, 2))
        raise Left


MANNERS: Dict[str, Tuple[int, Callable[[Session], Awaitable[str]]]] = {
    "mail": (64, Session.mail),
    "hang_up": (12, Session.hang_up),
    "leave_before_reply": (5, Session.leave_before_reply),
    "half_close": (4, Session.half_close),
    "drip": (3, Session.drip),
    "idle": (4, Session.idle),
    "flood": (2, Session.flood),
    "garbage": (3, Session.garbage),
    "stranger": (3, Session.stranger),
}
EXACT = tuple(name for name in MANNERS if name != "garbage")
"""Manners in which a client can expect a word at the end: a connection that the gateway closes without one is a broken session."""


class Load:
    """So many sessions at a time, until stopped. `visits` has them all."""

    def __init__(self, ports: Dict[str, int], sessions: int, rate: float, seed: str) -> None:
        self.visits: List[Visit] = []
        self._ports, self._pace, self._seed = ports, Pace(rate), seed
        self._bodies, self._tls = Bodies(random.Random(seed)), plain_tls()
        self._stopped = asyncio.Event()
        self._tasks = [asyncio.create_task(self._slot(place)) for place in range(sessions)]

    async def _slot(self, place: int) -> None:
        chance = random.Random(f"{self._seed} client {place}")
        while not self._stopped.is_set():
            kind: str = chance.choices(list(KINDS), list(KINDS.values()))[0]
            manner: str = chance.choices(list(MANNERS), [weight for weight, _ in MANNERS.values()])[0]
            visit = Visit(len(self.visits) + 1, kind, manner, time.time())
            self.visits.append(visit)
            await Session(visit, self._ports[kind], self._pace, self._bodies, self._tls, chance).run()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopped.wait(), chance.uniform(0, 0.5))

    async def stop(self) -> None:
        """Each client ends its session. Raises what one of them has raised."""
        self._stopped.set()
        await asyncio.wait_for(asyncio.gather(*self._tasks), 120)

    def abort(self) -> None:
        for task in self._tasks:
            task.cancel()

    def failed(self) -> Optional[BaseException]:
        """What has ended a slot, which nothing but a fault of this program does."""
        for task in self._tasks:
            if task.done() and not task.cancelled() and task.exception():
                return task.exception()
        return None
