"""An SMTP server that does one thing wrong, and the table of what it can do wrong and what gatepost must tell its client then.

A fault is what happens instead of the reply at one step: banner, EHLO, STARTTLS, MAIL, RCPT, DATA, dot. What the server
took, that is what it said 250 to after the dot, it counts.
"""

import contextlib
import socket
import ssl
import threading
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

from certificates import Pair
from gateway import free_port

Action = Callable[["Conversation"], None]

GOOD = {
    "banner": b"220 backend.example.net ESMTP\r\n",
    "HELO": b"250 backend.example.net\r\n",
    "STARTTLS": b"220 2.0.0 go\r\n",
    "MAIL": b"250 2.1.0 sender fine\r\n",
    "RCPT": b"250 2.1.5 recipient fine\r\n",
    "DATA": b"354 go\r\n",
    "dot": b"250 2.0.0 taken by the backend\r\n",
    "RSET": b"250 2.0.0 fine\r\n",
    "NOOP": b"250 2.0.0 fine\r\n",
    "QUIT": b"221 2.0.0 bye\r\n",
}
OFFER = ["PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES"]


class Gone(Exception):
    """The conversation is over."""


class Conversation:
    """One connection to the backend."""

    def __init__(self, backend: "Backend", sock: socket.socket) -> None:
        self.backend, self.sock = backend, sock
        self.file = sock.makefile("rb")
        self.secure = False
        self.recipients: List[str] = []
        self.chunks = b""

    def run(self) -> None:
        with contextlib.suppress(Gone, OSError, ssl.SSLError, ValueError):
            self.answer("banner")
            while True:
                line = self.file.readline(65536)
                if not line:
                    raise Gone
                verb = line.split(b" ")[0].strip().decode("latin-1").upper()
                verb = "EHLO" if verb == "LHLO" else verb  # LMTP goes wrong in the same ways
                self.backend.commands.append(line.decode(errors="replace").strip())
                self.take(verb, line)
        with contextlib.suppress(OSError):
            self.file.close()
            self.sock.close()

    def take(self, verb: str, line: bytes) -> None:
        if verb == "BDAT" and "CHUNKING" in self.backend.offer:
            self.take_chunk(line)
            return
        if verb not in ("EHLO", *GOOD):
            self.sock.sendall(b"502 5.5.1 no such command\r\n")
            return
        self.answer(verb)
        if verb == "STARTTLS" and verb not in self.backend.faults:
            self.start_tls()
        elif verb == "MAIL":
            self.recipients = []
        elif verb == "RCPT":
            self.recipients.append(line.decode("latin-1").strip())
        elif verb == "DATA":
            self.take_message()
        elif verb == "QUIT":
            raise Gone

    def take_message(self) -> None:
        content = b""
        while (line := self.file.readline()) != b".\r\n":
            if not line:
                raise Gone
            content += line[1:] if line.startswith(b".") else line
        self.backend.completed += 1
        self.answer("dot", content)

    def take_chunk(self, line: bytes) -> None:
        size, *last = line.split()[1:]
        self.chunks += self.file.read(int(size))
        if not last:
            self.sock.sendall(GOOD["MAIL"])
            return
        content, self.chunks = self.chunks, b""
        self.backend.completed += 1
        self.answer("dot", content)

    def start_tls(self) -> None:
        assert self.backend.tls
        self.file.close()
        self.sock = self.backend.tls.wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")
        self.secure = True

    def answer(self, step: str, content: bytes = b"") -> None:
        """The good reply, or the fault of this step. A fault that says 250 after the dot has taken the message, too."""
        action = self.backend.faults.get(step)
        if action:
            self.backend.faulted += 1
            action(self)
        else:
            if step == "dot":
                self.backend.taken.append((list(self.recipients), content))
            self.sock.sendall(self.good(step))

    def good(self, step: str) -> bytes:
        if step != "EHLO":
            return GOOD[step]
        words = [*self.backend.offer, *(["STARTTLS"] if self.backend.tls and not self.secure else [])]
        return ("250-backend.example.net\r\n" + "".join(f"250-{word}\r\n" for word in words[:-1]) + f"250 {words[-1]}\r\n").encode()


class Backend:
    """The server. `faults`: step -> action, changed at any time. Use as a context manager."""

    def __init__(self, pair: Optional[Pair] = None) -> None:
        self.faults: Dict[str, Action] = {}
        self.offer = OFFER
        self.taken: List[Tuple[List[str], bytes]] = []
        """Recipients and content of each message that got the good reply after the dot."""
        self.commands: List[str] = []
        self.completed = 0
        self.faulted = 0
        self.released = threading.Event()
        self.tls: Optional[ssl.SSLContext] = None
        if pair:
            self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.tls.load_cert_chain(pair.certificate, pair.key)
        self._socks: List[socket.socket] = []
        self.port = free_port()
        self.listen()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def listen(self) -> None:
        """On the same port each time."""
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(("127.0.0.1", self.port))
        self._listener.listen(128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Connections are refused and those that were there are dropped."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # or accept() would go on with it
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        for sock in self._socks:
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        self._socks.clear()

    def heal(self) -> None:
        """No fault any more, and none of the connections that knew one."""
        self.faults = {}
        self.released.set()
        self.drop()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            self._socks.append(sock)
            threading.Thread(target=Conversation(self, sock).run, daemon=True).start()

    def __enter__(self) -> "Backend":
        return self

    def __exit__(self, *unused: Any) -> None:
        self.released.set()
        self.refuse()


def say(text: bytes) -> Action:
    return lambda conversation: conversation.sock.sendall(text)


def say_and_close(text: bytes) -> Action:
    def action(conversation: Conversation) -> None:
        conversation.sock.sendall(text)
        raise Gone

    return action


def drop(conversation: Conversation) -> None:
    raise Gone


def reset(conversation: Conversation) -> None:
    conversation.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    raise Gone


def hang(conversation: Conversation) -> None:
    """Says nothing until the test is over with it."""
    conversation.backend.released.wait(120)
    raise Gone


def drip(step: str, pause: float = 0.02) -> Action:
    """The good reply, octet by octet."""

    def action(conversation: Conversation) -> None:
        if step == "dot":
            conversation.backend.taken.append((list(conversation.recipients), b""))
        for octet in conversation.good(step):
            conversation.sock.sendall(bytes([octet]))
            conversation.backend.released.wait(pause)

    return action


def twice(step: str) -> Action:
    return lambda conversation: conversation.sock.sendall(2 * conversation.good(step))


def forever(piece: bytes, pause: float = 0.0) -> Action:
    """The piece again and again, until somebody has enough of it."""

    def action(conversation: Conversation) -> None:
        while not (pause and conversation.backend.released.wait(pause)):
            conversation.sock.sendall(piece)
        raise Gone

    return action


class Fault(NamedTuple):
    name: str
    step: str
    action: Optional[Action]  # None: the connection is refused
    reply: str
    """What the client must be told (a pattern), at RCPT or at the end of the message."""
    at: str
    """Where it must be told so: RCPT, DATA (the end of the message), or the one or the other."""
    taken: int = 0
    """How many messages the backend said 250 to."""
    down: bool = False
    """The backend counts as down: a second one gets the mail at once."""


DOWN = r"451 4\.4\.1 "
LOST = r"451 4\.4\.[12] "
BROKEN = r"451 4\.[34]\.[0-2] "
UNKNOWN = r"451 4\.4\.2 "
FINE = r"250 2\.0\.0 taken by the backend"


def _session_faults() -> List[Fault]:
    """Nothing was said of a message yet: whatever it is, the backend is down."""
    faults = [Fault("refuses the connection", "banner", None, DOWN, "RCPT", down=True)]
    for step in ("banner", "EHLO"):
        words = {
            "hangs": hang, "drops": drop, "resets": reset,
            "421": say_and_close(b"421 4.3.2 going down\r\n"), "450": say(b"450 4.3.2 not now\r\n"),
            "garbage": say(b"\xff\xfe\x00 who are you\r\n"), "no SMTP": say(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "a line without end": forever(b"2" * 4096), "a reply without end": forever(b"250-more\r\n"),
            "drips without end": forever(b"2", 0.05), "wrong class": say(b"354 go\r\n"),
        }  # fmt: skip
        if step == "banner":
            words["554"] = say_and_close(b"554 5.3.2 no mail here\r\n")
        faults += [Fault(name, step, action, DOWN, "RCPT", down=True) for name, action in words.items()]
        faults.append(Fault("drips", step, drip(step), FINE, "DATA", taken=1))
    return [*faults, Fault("500", "EHLO", say(b"500 5.5.1 what\r\n"), FINE, "DATA", taken=1)]


def _envelope_faults() -> List[Fault]:
    faults = []
    for step in ("MAIL", "RCPT"):
        own = [("450", "450 4.7.1 come back"), ("452", "452 4.2.2 full"), ("550", "550 5.7.1 not you"), ("554 without status", "554 no")]
        for name, text in own:
            pattern = "^" + text.replace(".", r"\.") if "status" not in name else r"^554 5\.\d\.\d no"
            faults.append(Fault(name, step, say(text.encode() + b"\r\n"), pattern, "RCPT"))
        words = {"hangs": hang, "drops": drop, "resets": reset}
        faults += [Fault(name, step, action, LOST, "RCPT") for name, action in words.items()]
        faults.append(Fault("421", step, say_and_close(b"421 4.3.2 going down\r\n"), LOST, "RCPT", down=step == "MAIL"))
        broken = {
            "garbage": say(b"\xff\xfe\x00 who are you\r\n"), "code of two digits": say(b"25 ok\r\n"), "code of four digits": say(b"2500 ok\r\n"),
            "a line without end": forever(b"2" * 4096), "a reply without end": forever(b"250-more\r\n"),
            "drips without end": forever(b"2", 0.05), "codes that differ": say(b"250-one\r\n550 two\r\n"),
            "wrong class": say(b"354 go\r\n"), "first digit 1": say(b"150 ok\r\n"), "first digit 9": say(b"950 ok\r\n"),
        }  # fmt: skip
        faults += [Fault(name, step, action, BROKEN, "RCPT") for name, action in broken.items()]
        faults.append(Fault("drips", step, drip(step), FINE, "DATA", taken=1))
    # Octets that are unsafe in a reply do not reach the client; test_backend_faults looks at every one of them.
    faults.append(Fault("control characters", "RCPT", say(b"550 5.1.1 a\x1b[2J\x00b\xff\r\n"), r"^550 5\.1\.1 ", "RCPT"))
    return faults


def _message_faults() -> List[Fault]:
    faults = []
    for step in ("DATA", "dot"):
        for text in ("450 4.3.1 no room", "552 5.3.4 too big", "554 5.6.0 not this one"):
            faults.append(Fault(text[:3], step, say(text.encode() + b"\r\n"), "^" + text.replace(".", r"\."), "DATA"))
        lost = UNKNOWN if step == "dot" else LOST
        words = {"drops": drop, "resets": reset}
        faults += [Fault(name, step, action, lost, "DATA") for name, action in words.items()]
        # Its 421 is no promise of ours to close: 451, with the words or without.
        faults.append(Fault("421", step, say_and_close(b"421 4.3.2 going down\r\n"), r"^451 4\.", "DATA"))
        broken = {
            "garbage": say(b"\xff\xfe\x00 who are you\r\n"), "code of two digits": say(b"25 ok\r\n"), "code of four digits": say(b"2500 ok\r\n"),
            "a line without end": forever(b"2" * 4096), "a reply without end": forever(b"250-more\r\n"),
            "codes that differ": say(b"250-one\r\n550 two\r\n"), "first digit 9": say(b"950 ok\r\n"),
            "half a 250, then drops": say_and_close(b"250 2.0.0 o"), "250- then drops": say_and_close(b"250-2.0.0 ok\r\n"),
            "wrong class": say(b"354 go\r\n" if step == "dot" else b"250 2.0.0 ok\r\n"),
        }  # fmt: skip
        faults += [Fault(name, step, action, BROKEN, "DATA") for name, action in broken.items()]
        faults.append(Fault("drips", step, drip(step), FINE, "DATA", taken=1))
    faults.append(Fault("hangs", "DATA", hang, LOST, "DATA"))
    faults.append(Fault("drips without end", "DATA", forever(b"3", 0.05), BROKEN, "DATA"))
    # A 250 that comes before the message has ended is not for it.
    faults.append(Fault("250 too early", "DATA", say(b"354 go\r\n250 2.0.0 taken\r\n"), BROKEN, "DATA"))
    return faults


def _extra_faults() -> List[Fault]:
    """A reply too many: from there on no reply can be told from the one before."""
    return [Fault("an extra reply", step, twice(step), r"451 4\.[34]\.", "RCPT or DATA") for step in ("banner", "EHLO", "MAIL", "RCPT", "DATA")]


def no_handshake(conversation: Conversation) -> None:
    """Wants TLS, and answers the client's first words with what is none."""
    conversation.sock.sendall(GOOD["STARTTLS"])
    conversation.sock.recv(65536)
    conversation.sock.sendall(b"\x16\x03\x01\x00\x05hello what is this\r\n")
    raise Gone


def inject(conversation: Conversation) -> None:
    """A line in clear after the 220, which a client must not take for one that came by TLS (CVE-2011-0411)."""
    conversation.sock.sendall(GOOD["STARTTLS"] + b"250 2.0.0 injected\r\n")
    conversation.start_tls()


class TlsFault(NamedTuple):
    """What goes wrong at STARTTLS. With verified the backend is then always down."""

    name: str
    action: Action
    opportunistic: str
    """What the client is told with opportunistic: the mail goes in clear where TLS is refused or the handshake fails."""


TLS_FAULTS = [
    TlsFault("454", say(b"454 4.7.0 no key\r\n"), FINE),
    TlsFault("502", say(b"502 5.5.1 what\r\n"), FINE),
    TlsFault("220, then drops", say_and_close(b"220 2.0.0 go\r\n"), FINE),
    TlsFault("220, then no handshake", no_handshake, FINE),
    TlsFault("220, then a line in clear", inject, f"{DOWN}|{FINE}"),
    TlsFault("wrong class", say(b"354 go\r\n"), f"{DOWN}|{FINE}"),
    TlsFault("drops", drop, f"{DOWN}|{FINE}"),
    TlsFault("hangs", hang, f"{DOWN}|{FINE}"),
]

# Where one wrong reply is not enough to say what the backend does: the dot goes wrong, too.
ALSO = {name: {"dot": say(b"554 5.6.0 not this one\r\n")} for name in ("250 too early", "an extra reply")}
FAULTS = _session_faults() + _envelope_faults() + _message_faults() + _extra_faults()
