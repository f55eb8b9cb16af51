"""Dialogue files for the binary runner: the same format as dialogue.c reads. See README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Set, Tuple

HOOKS = ("connect", "ehlo", "starttls", "secure", "auth", "mail", "rcpt", "data", "message", "disconnect")
NUMBERS = ("message_size", "recipients", "errors", "commands", "messages")
FLAGS = ("starttls", "implicit_tls", "auth", "require_tls", "lmtp", "bare_newline_accept", "relay", "xclient")
# What only the engine's caller can set: the program has no setting for it, or it is a matter of time.
ENGINE_FLAGS = ("dsn", "banner_wait", "recipients_asked")
# What the delivery can take, which a Maildir does not leave open.
ENGINE_VALUES = ("offer", "offer_size", "offer_recipients")

_ESCAPE = re.compile(rb"\\(?:\*([1-9][0-9]*)\{([^}]*)\}|x([0-9a-fA-F]{2})|(.))", re.DOTALL)
_NAMED = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\", b'"': b'"'}
_FIELD = re.compile(r' *([^ =]+)=(?:"((?:[^"\\]|\\.)*)"|(\S*))')


class BadDialogue(Exception):
    """The file breaks the format."""


def unescape(text: bytes) -> bytes:
    def replace(match: "re.Match[bytes]") -> bytes:
        count, repeated, octet, name = match.groups()
        if count is not None:
            return unescape(repeated) * int(count)
        if octet is not None:
            return bytes([int(octet, 16)])
        if name not in _NAMED:
            raise BadDialogue(f"bad escape {match.group(0)!r}")
        return _NAMED[name]

    return _ESCAPE.sub(replace, text)


def fields(text: str) -> List[Tuple[str, bytes]]:
    """name=value name="value" ..."""
    result, place = [], 0
    while text[place:].strip(" "):
        match = _FIELD.match(text, place)
        if match is None:
            raise BadDialogue(f"expected name=value at {text[place:]!r}")
        quoted = match.group(2)
        value = match.group(3) if quoted is None else quoted
        result.append((match.group(1), unescape(value.encode("utf-8", "surrogateescape"))))
        place = match.end()
    return result


@dataclass
class Item:
    """One line, or several C: R: or D: lines that belong together."""

    mark: str  # A C S H M D T W N E X
    line: int
    octets: bytes = b""
    word: str = ""
    fields: List[Tuple[str, bytes]] = field(default_factory=list)
    verdict: str = "accept"
    verdict_fields: List[Tuple[str, bytes]] = field(default_factory=list)


@dataclass
class Dialogue:
    path: str
    settings: Dict[str, Any] = field(default_factory=dict)
    domains: List[str] = field(default_factory=lambda: ["example.com"])
    hooks: Set[str] = field(default_factory=set)
    items: List[Item] = field(default_factory=list)
    fails: str = ""  # what a dialogue of wrong/ must fail with

    def of(self, mark: str) -> List[Item]:
        return [item for item in self.items if item.mark == mark]

    @property
    def engine_only(self) -> bool:
        # The configuration has no domains beyond ASCII yet.
        names = ENGINE_FLAGS + ENGINE_VALUES
        if any(name in self.settings for name in names) or self.of("A"):
            return True
        return not "".join(self.domains).isascii()

    @property
    def starts_tls(self) -> bool:
        """Whether STARTTLS is part of it: implicit TLS would change what happens."""
        if self.settings.get("starttls") or self.settings.get("require_tls"):
            return True
        return any(b"STARTTLS\r\n" in item.octets for item in self.of("C"))


def _set(dialogue: Dialogue, text: str) -> None:
    name, _, value = text.partition(" ")
    if name in FLAGS + ENGINE_FLAGS and not value:
        dialogue.settings[name] = True
    elif name in NUMBERS and value.isdigit():
        dialogue.settings[name] = int(value)
    elif name in ENGINE_VALUES and value:
        dialogue.settings[name] = value
    elif name == "accept_domains" and value:
        dialogue.domains = [] if value == "none" else value.split()
    elif name == "hooks" and value and set(value.split()) <= set(HOOKS):
        dialogue.hooks |= set(value.split())
    else:
        raise BadDialogue(f"there is no setting {text!r}")


def _marked(dialogue: Dialogue, number: int, mark: str, text: str, joinable: bool) -> None:
    octets = text.encode("utf-8", "surrogateescape")
    items = dialogue.items
    if mark in "CRD":
        end = b"" if mark == "R" else b"\r\n"
        mark = mark.replace("R", "C")
        if not (joinable and items and items[-1].mark == mark):
            items.append(Item(mark, number))
        items[-1].octets += unescape(octets) + end
    elif mark == "S":
        items.append(Item(mark, number, octets=unescape(octets)))
    elif mark in "TW":
        items.append(Item(mark, number))
    elif mark == "V":
        if not items or items[-1].mark != "H":
            raise BadDialogue("V: must follow H:")
        word, _, rest = text.partition(" ")
        items[-1].verdict, items[-1].verdict_fields = word, fields(rest)
    elif mark == "A":
        items.append(Item(mark, number, octets=unescape(octets)))
    elif mark in "MN":
        items.append(Item(mark, number, fields=fields(text)))
    elif mark in "HEX":
        word, _, rest = text.partition(" ")
        if mark == "H" and word not in dialogue.hooks:
            raise BadDialogue(f"hook {word} is not among those of `set hooks`")
        items.append(Item(mark, number, word=word, fields=fields(rest)))
    else:
        raise BadDialogue(f"unknown mark {mark}:")


def read(path: str) -> Dialogue:
    """Raises BadDialogue with file and line."""
    dialogue, joinable = Dialogue(path), False
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
        for number, line in enumerate(file, 1):
            line = line[:-1] if line.endswith("\n") else line
            try:
                if line.startswith("# fails: "):
                    dialogue.fails = line[9:]
                if line.startswith("#"):
                    continue
                if line.startswith("set "):
                    _set(dialogue, line[4:])
                elif re.match("[A-Z]:( |$)", line):
                    _marked(dialogue, number, line[0], line[3:], joinable)
                elif line:
                    raise BadDialogue("expected `set`, a mark such as `C: `, or a comment")
                joinable = bool(line)
            except BadDialogue as error:
                raise BadDialogue(f"{path}:{number}: bad dialogue: {error}") from None
    if not dialogue.items:
        raise BadDialogue(f"{path}: bad dialogue: nothing happens in it")
    return dialogue
