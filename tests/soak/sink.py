"""The server behind the relay: takes mail as its words say, and knows what it has taken."""

import asyncio
import contextlib
import re
from typing import Callable, List, Optional, Set

from words import Found, examine, word_of

LINE_MAX = 8 * 1024 * 1024
REFUSALS = {"sinkno": b"554 5.6.0 The sink does not want it\r\n", "sinklater": b"451 4.2.0 The sink wants it later\r\n"}


class Sink:
    """`take` gets each message that is answered with 250, before that; ValueError of a bad one goes to `fault`."""

    def __init__(self, take: Callable[[Found], None], fault: Callable[[str], None]) -> None:
        self.port = 0
        self._take, self._fault = take, fault
        self._server: Optional[asyncio.AbstractServer] = None
        self._tasks: Set["asyncio.Task[None]"] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=LINE_MAX)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 sink.example.net ESMTP\r\n")
        sender = ""
        recipients: List[str] = []
        while True:
            line = (await reader.readuntil(b"\r\n")).decode("latin-1").rstrip("\r\n")
            verb = line[:4].upper()
            address = re.search(r"<([^>]*)>", line)
            if verb == "EHLO":
                writer.write(b"250-sink.example.net\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 SIZE 30000000\r\n")
            elif verb == "MAIL" and address:
                sender, recipients = word_of(address.group(1)), []
                writer.write(b"250 2.1.0 OK\r\n")
            elif verb == "RCPT" and address:
                refused = word_of(address.group(1)) == "sinkunknown"
                if not refused:
                    recipients.append(address.group(1))
                writer.write(b"550 5.1.1 The sink does not know it\r\n" if refused else b"250 2.1.5 OK\r\n")
            elif verb == "DATA" and recipients:
                writer.write(b"354 Go on\r\n")
                if not self._answer(sender, recipients, await reader.readuntil(b"\r\n.\r\n"), writer):
                    return
            elif verb == "QUIT":
                writer.write(b"221 2.0.0 Bye\r\n")
                return
            else:
                writer.write(b"250 2.0.0 OK\r\n" if verb in ("RSET", "NOOP") else b"503 5.5.1 Bad sequence\r\n")

    def _answer(self, sender: str, recipients: List[str], stuffed: bytes, writer: asyncio.StreamWriter) -> bool:
        """False: the connection is to be closed without an answer."""
        if sender == "sinkcut":
            return False
        if sender in REFUSALS:
            writer.write(REFUSALS[sender])
            return True
        lines: List[bytes] = stuffed[:-3].split(b"\r\n")
        try:
            found = examine(b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines))
            self._take(found._replace(recipients=tuple(sorted(recipients))))
        except ValueError as error:
            self._fault(f"sink: {error}")
        writer.write(b"250 2.0.0 The sink has it\r\n")
        return True
