"""A gatepost process of its own for one dialogue: its directory, configuration, start and end."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import signal
import socket
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from dialogue_file import Dialogue

STOP_SECONDS = 15.0
HOSTNAME = "mx.example.org"

# What the delivery puts before a message.
_PREFIX = re.compile(
    rb"Return-Path: <([^\r\n]*)>\r\n((?:Delivered-To: [^\r\n]*\r\n)*)Received: [^\r\n]*\r\n(?:[ \t][^\r\n]*\r\n)*"
)


# What a flag of a dialogue is in the configuration of a listener; the client comes from 127.0.0.1.
LISTENER_FLAGS: Dict[str, Any] = {
    "auth": ("auth", True),
    "require_tls": ("require_tls", True),
    "lmtp": ("protocol", "lmtp"),
    "bare_newline_accept": ("bare_newline", "accept"),
    "relay": ("relay_clients", ["127.0.0.1"]),
    "xclient": ("xclient", ["127.0.0.1"]),
}


class GatewayError(Exception):
    """gatepost did not start, stop or store as it should."""


@dataclass
class Stored:
    """A message in the Maildir."""

    octets: bytes  # without the fields that the delivery puts before it
    sender: bytes
    recipients: List[bytes]

    def fact(self, name: str) -> bytes:
        """As in an M: line."""
        return self.sender if name == "from" else b",".join(self.recipients)


def free_address(number: int) -> Tuple[str, int]:
    """A port on a loopback address that no other test process uses, so nobody can take it meanwhile."""
    pid = os.getpid()
    host = f"127.{1 + (pid >> 8) % 250}.{1 + pid % 250}.{1 + number % 250}"
    with socket.socket() as probe:
        probe.bind((host, 0))
        return host, int(probe.getsockname()[1])


class Gateway:
    def __init__(self, program: str, dialogue: Dialogue, tls: str, certificate: str, number: int):
        """tls: "none", "starttls" or "implicit"."""
        self._program = program
        self._directory = tempfile.TemporaryDirectory(prefix="gatepost-dialogue-")
        self.root = Path(self._directory.name)
        self.address = free_address(number)
        self.policy_socket = str(self.root / "policy.sock")
        self.events_socket = str(self.root / "run" / "events.sock")
        self._process: Optional[asyncio.subprocess.Process] = None
        self._log = self.root / "log"
        for name in ("run", "spool"):
            (self.root / name).mkdir()
        config = self._config(dialogue, tls, certificate)
        # JSON is YAML.
        (self.root / "gatepost.yaml").write_text(json.dumps(config, indent=1) + "\n")

    def _config(self, dialogue: Dialogue, tls: str, certificate: str) -> Dict[str, Any]:
        listener: Dict[str, Any] = {
            "name": "dialogue",
            "address": "{}:{}".format(*self.address),
            "tls": tls,
            "delivery": "inbox",
            "resolve_names": False,
        }
        if dialogue.domains:
            listener["accept_domains"] = dialogue.domains
        for flag, (key, value) in LISTENER_FLAGS.items():
            if dialogue.settings.get(flag):
                listener[key] = value
        config: Dict[str, Any] = {
            "hostname": HOSTNAME,
            "runtime_dir": str(self.root / "run"),
            "spool_dir": str(self.root / "spool"),
            "workers": 1,
            "user": pwd.getpwuid(os.geteuid()).pw_name,
            "listeners": [listener],
            "deliveries": [{"name": "inbox", "maildir": str(self.root / "mail")}],
        }
        if tls != "none":
            pair = {"certificate": certificate + ".pem", "key": certificate + ".key"}
            config["tls"] = {"certificates": [pair]}
        if dialogue.hooks:
            policy = {"name": "script", "sockets": [self.policy_socket], "timeout": "20s"}
            config["policies"] = [policy]
            listener["policies"] = ["script"]
        limits = {k: v for k, v in dialogue.settings.items() if isinstance(v, int) and v is not True}
        if limits:
            config["limits"] = limits
        return config

    async def start(self) -> None:
        with open(self._log, "wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                self._program, "serve", "-c", str(self.root / "gatepost.yaml"), stdout=log, stderr=log
            )

    async def died(self) -> None:
        """Returns only when the process has ended; raises GatewayError then."""
        assert self._process is not None
        code = await self._process.wait()
        raise GatewayError(f"gatepost ended with {code}:\n{self.log()}")

    async def stop(self) -> None:
        """SIGTERM must end it cleanly, and no sanitizer may have complained."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        try:
            code = await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except asyncio.TimeoutError:
            process.kill()
            await process.wait()
            raise GatewayError(f"gatepost did not end within {STOP_SECONDS} s:\n{self.log()}") from None
        text = self.log()
        if code != 0 or "Sanitizer" in text or "runtime error:" in text or "Assertion" in text:
            raise GatewayError(f"gatepost ended with {code}:\n{text}")

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def stored(self) -> List[Stored]:
        """The messages in the Maildir."""
        messages = []
        for path in sorted((self.root / "mail" / "new").glob("*")):
            octets = path.read_bytes()
            prefix = _PREFIX.match(octets)
            if prefix is None:
                raise GatewayError(f"a stored message begins with {octets[:300]!r}")
            recipients = re.findall(rb"Delivered-To: ([^\r\n]*)\r\n", prefix.group(2))
            messages.append(Stored(octets[prefix.end() :], prefix.group(1), recipients))
        return messages

    def clean(self) -> None:
        self._directory.cleanup()
