"""Many SMTP sessions at a time, each with several messages, that know how each of them ended and what became of each message."""

import asyncio
import collections
import contextlib
import os
import pathlib
import random
import re
import ssl
import threading
from typing import Callable, Dict, Iterator, List, Optional, Set

from gateway import Gateway, wait_until


class Session:
    """One connection; `port` is the client's."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.said = "nothing"
        self.end: Optional[str] = None
        """Why it ended too early; "" when it ended well."""


class SessionLoad:
    """Keeps so many sessions open; when one ends, another begins. Nothing is sent twice."""

    def __init__(self, gateway: Gateway, sessions: int, seed: int = 1, messages: int = 8, port: Optional[Callable[[], int]] = None) -> None:
        self.gateway = gateway
        self.messages = messages
        self.accepted: Set[int] = set()
        self.unanswered: Set[int] = set()
        self.refused: List[str] = []
        """Connections that came to nothing."""
        self.ended: List[Session] = []
        self.open: Set[Session] = set()
        self._port = port or (lambda: gateway.port)
        self._numbers = iter(range(1, 10**9))
        self._chance = random.Random(seed)
        self._tls = ssl.create_default_context(cafile=str(gateway.folder / "cert.pem"))
        self._tls.check_hostname = False
        self._stop = False
        self._count = sessions
        self._errors: List[BaseException] = []
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self) -> None:
        asyncio.run(self._run_all())

    async def _run_all(self) -> None:
        for error in await asyncio.gather(*(self._client(n) for n in range(self._count)), return_exceptions=True):
            if isinstance(error, BaseException):
                self._errors.append(error)

    async def _client(self, number: int) -> None:
        while not self._stop:
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port())
            except OSError as error:
                self.refused.append(repr(error))
                await asyncio.sleep(0.05)
                continue
            session = Session(writer.get_extra_info("sockname")[1])
            self.open.add(session)
            try:
                await self._session(session, reader, writer, tls=number % 5 == 0)
                session.end = ""
            except (OSError, EOFError, ssl.SSLError) as error:
                session.end = f"{type(error).__name__} {error} after {session.said!r}"
            finally:
                self.open.discard(session)
                self.ended.append(session)
                writer.close()

    async def _session(self, session: Session, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, tls: bool) -> None:
        async def reply() -> str:
            while True:
                line = await reader.readline()
                if not line.endswith(b"\n"):
                    raise EOFError("closed")
                if line[3:4] != b"-":
                    return line.decode().rstrip()

        async def say(line: str, want: str) -> str:
            writer.write(line.encode() + b"\r\n")
            session.said = line[:40]
            answer = await reply()
            if not answer.startswith(want):
                raise EOFError(answer)
            return answer

        if not (answer := await reply()).startswith("220"):
            raise EOFError(answer)
        await say("EHLO client", "250")
        if tls:
            await say("STARTTLS", "220")
            await writer.start_tls(self._tls)
            await say("EHLO client", "250")
        for _ in range(self._chance.randint(2, self.messages)):
            await say("MAIL FROM:<a@example.org>", "250")
            await say("RCPT TO:<b@example.com>", "250")
            await say("DATA", "354")
            number = next(self._numbers)
            self.unanswered.add(number)
            await say(f"X-Number: {number}\r\n\r\n{'text' * self._chance.choice((1, 100, 1000))}\r\n.", "250 2.0.0 OK id=")
            self.unanswered.discard(number)
            self.accepted.add(number)
        await say("QUIT", "221")

    def broken(self) -> List[Session]:
        return [session for session in list(self.ended) if session.end]

    def __enter__(self) -> "SessionLoad":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._stop = True
        self._thread.join(60)
        assert not self._thread.is_alive(), "a session hangs"
        if self._errors:
            raise self._errors[0]

    def check_stored(self) -> Dict[str, int]:
        """Every message that was answered with 250 is in the Maildir, once; what is there besides was sent and not answered."""
        numbers = collections.Counter(numbers_in(self.gateway))
        twice = [number for number, times in numbers.items() if times > 1]
        assert not twice, f"there twice: {twice}"
        lost = self.accepted - set(numbers)
        assert not lost, f"answered with 250, and not there: {sorted(lost)[:20]}"
        more = set(numbers) - self.accepted - self.unanswered
        assert not more, f"nobody sent these: {sorted(more)[:20]}"
        return {"accepted": len(self.accepted), "sessions": len(self.ended)}


def numbers_in(gateway: Gateway) -> Iterator[int]:
    for path in gateway.stored():
        match = re.search(rb"^X-Number: (\d+)\r$", path.read_bytes(), re.M)
        assert match, path
        yield int(match.group(1))


def client_ports(pid: int, port: int) -> Set[int]:
    """The clients' ports of the connections to `port` that this process has."""
    inodes = set()
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            match = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(entry))
            if match:
                inodes.add(match.group(1))
    ports = set()
    for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == port and fields[9] in inodes:
            ports.add(int(fields[2].partition(":")[2], 16))
    return ports - {0}


def wait_stopped(pid: int) -> None:
    """Until SIGSTOP has its effect."""
    wait_until(lambda: pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T", "the stop of the process")
