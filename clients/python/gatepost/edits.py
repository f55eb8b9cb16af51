"""Edits: changes in a message and its envelope, which a verdict asks for.

    return gatepost.accept(edits=[edits.add_header("X-Spam-Score", "1.2"), edits.drop_recipient(2)])

All edits of one verdict are made, or none. They speak of the message as the request showed it: dropping
recipient 1 does not make the second the first. Services that are asked later see what they did.

Header edits and add_recipient() are for the message hook, set_sender() for mail and message,
drop_recipient() for data and message, all with accept, bypass and quarantine only. A wrong one raises
ValueError where it is built.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Sequence

from ._line import MAX_INT

__all__ = [
    "Edit",
    "add_header",
    "add_recipient",
    "delete_header",
    "drop_recipient",
    "replace_header",
    "set_sender",
]

MAX_EDITS = 100
MAX_HEADER_LINE = 998
"""Octets of one line of a header field, without its CRLF (RFC 5322 section 2.1.1)."""

HOOKS = {
    "add_header": ("message",),
    "replace_header": ("message",),
    "delete_header": ("message",),
    "set_sender": ("mail", "message"),
    "add_recipient": ("message",),
    "drop_recipient": ("data", "message"),
}
"""The hooks that each edit is allowed at."""

_NAME = re.compile(r"[!-9;-~]{1,64}", re.ASCII)
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_IN_VALUE = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\ud800-\udfff]")  # a tab is white space


@dataclass(frozen=True)
class Edit:
    """One change. `fields` is its wire form. Build it with the functions of this module."""

    fields: Mapping[str, Any]

    def __post_init__(self) -> None:
        check_edit(self.fields)


def add_header(name: str, value: str, *, at: str = "top") -> Edit:
    """Add a header field before ("top") or behind ("bottom") those that are there.

    name: 1 to 64 characters of printable ASCII without space and colon. value: text without control
    characters; to fold it, put "\\r\\n " or "\\r\\n\\t" at the end of a line. A line has at most 998 octets.
    """
    return Edit({"edit": "add_header", "at": at, "name": name, "value": value})


def replace_header(name: str, value: str, *, nth: int = 1) -> Edit:
    """Give the `nth` field of this name (from 1, from the top) another value; add it at the bottom when there is none."""
    return Edit({"edit": "replace_header", "name": name, "nth": nth, "value": value})


def delete_header(name: str, *, nth: int = 1) -> Edit:
    """Delete the `nth` field of this name (from 1, from the top), or with 0 all. Nothing happens when there is none."""
    return Edit({"edit": "delete_header", "name": name, "nth": nth})


def set_sender(address: str) -> Edit:
    """Give the transaction another sender. "" is the null sender."""
    return Edit({"edit": "set_sender", "address": address})


def add_recipient(address: str) -> Edit:
    """Add a recipient. The gateway's rules about relaying hold for it as for any other."""
    return Edit({"edit": "add_recipient", "address": address})


def drop_recipient(index: int) -> Edit:
    """Drop a recipient. index: its place in request.context["recipients"], from 1. To drop all, discard."""
    return Edit({"edit": "drop_recipient", "index": index})


def _check_value(name: str, value: object) -> None:
    if not isinstance(value, str):
        raise ValueError(f"the value of a header must be a string, not {value!r}")
    for number, line in enumerate(value.split("\r\n")):
        if number and (line[:1] not in (" ", "\t") or not line.strip(" \t")):
            raise ValueError(f"after a line break a header goes on with a space or tab, and text: {value!r}")
        found = _IN_VALUE.search(line)
        if found:
            raise ValueError(f'no {found.group()!r} is allowed in a header: break lines with "\\r\\n" and a space')
        octets = len(line.encode("utf-8")) + (0 if number else len(name) + 2)
        if octets > MAX_HEADER_LINE:
            raise ValueError(f"a header line has at most {MAX_HEADER_LINE} octets, not {octets}: fold it with CRLF and a space")


def _check_int(fields: Mapping[str, Any], key: str, low: int, default: object = None) -> None:
    value = fields.get(key, default)
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= MAX_INT:
        raise ValueError(f"{key} must be an integer from {low}, not {value!r}")


def _check_header(kind: str, fields: Mapping[str, Any]) -> None:
    name = fields.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(f"a header name has 1 to 64 characters of printable ASCII without space and colon, not {name!r}")
    if kind == "add_header":
        if fields.get("at", "top") not in ("top", "bottom"):
            raise ValueError(f'at must be "top" or "bottom", not {fields["at"]!r}')
    else:
        _check_int(fields, "nth", 0 if kind == "delete_header" else 1, 1)
    if kind != "delete_header":
        _check_value(name, fields.get("value"))


def _check_address(kind: str, address: object) -> None:
    if not isinstance(address, str):
        raise ValueError(f"address must be a string, not {address!r}")
    if not address and kind != "set_sender":
        raise ValueError("a recipient needs an address")
    if _CONTROL.search(address) or "<" in address or ">" in address:
        raise ValueError(f"an address is without control characters and angle brackets: {address!r}")


def check_edit(fields: object) -> None:
    """Check the wire form of one edit. Raises ValueError."""
    kind = fields.get("edit") if isinstance(fields, Mapping) else None
    if not isinstance(fields, Mapping) or not isinstance(kind, str) or kind not in HOOKS:
        raise ValueError(f"unknown edit {fields!r}: use {', '.join(HOOKS)}")
    if kind.endswith("_header"):
        _check_header(kind, fields)
    elif kind == "drop_recipient":
        _check_int(fields, "index", 1)
    else:
        _check_address(kind, fields.get("address"))


def check_edits(edits: object) -> None:
    """Check the wire form of all edits of a reply. Raises ValueError."""
    if not isinstance(edits, list) or len(edits) > MAX_EDITS:
        raise ValueError(f"edits must be a list of at most {MAX_EDITS}")
    for fields in edits:
        check_edit(fields)


def check_at(edits: Sequence[Mapping[str, Any]], hook: str, recipients: int) -> None:
    """Check that edits can be asked for at this hook, with so many recipients shown. Raises ValueError."""
    for fields in edits:
        allowed = HOOKS[fields["edit"]]
        if hook not in allowed:
            raise ValueError(f"{fields['edit']} is not possible at {hook}, only at {' and '.join(allowed)}")
    dropped = {fields["index"] for fields in edits if fields["edit"] == "drop_recipient"}
    if dropped and max(dropped) > recipients:
        raise ValueError(f"there is no recipient {max(dropped)} to drop: the request shows {recipients}")
    if dropped and len(dropped) == recipients and not any(fields["edit"] == "add_recipient" for fields in edits):
        raise ValueError("the edits would leave no recipient: use discard()")


def wire_form(edits: Sequence[Edit]) -> List[Dict[str, Any]]:
    """What a reply carries. Raises ValueError for anything that is not an Edit."""
    for edit in edits:
        if not isinstance(edit, Edit):
            raise ValueError(f"{edit!r} is not an edit: build it with gatepost.edits")
    return [dict(edit.fields) for edit in edits]
