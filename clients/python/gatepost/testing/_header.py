"""Header edits, made as the gateway makes them (gateway/message/header_edit.h says the same in full)."""

from __future__ import annotations

import re
from typing import Any, Dict, List, Mapping, Sequence

_EMPTY_LINE = re.compile(rb"(?:^|(?<=\n))\r?\n")
_PIECE = re.compile(rb"[^\n]*(?:\n[ \t][^\n]*)*(?:\n|\Z)")
_NAME = re.compile(rb"([!-9;-~]+)[ \t]*:")

Edits = Sequence[Mapping[str, Any]]


def header_section(content: bytes) -> bytes:
    """The header section with the empty line that ends it; all of a message without one."""
    end = _EMPTY_LINE.search(content)
    return content[: end.end()] if end else content


def edit_message(content: bytes, edits: Edits) -> bytes:
    """The message after the header edits; others are passed over. What is not edited stays as it is."""
    header = header_section(content)
    return edit_header(header, edits) + content[len(header) :]


def _name(piece: bytes) -> str:
    """The name of the field in lower case; "" for a line that is none."""
    match = _NAME.match(piece)
    return match.group(1).decode("ascii").lower() if match else ""


def _is_preamble(piece: bytes) -> bool:
    return not _name(piece) and piece.startswith((b" ", b"\t", b"From "))


def _field(edit: Mapping[str, Any]) -> bytes:
    return f"{edit['name']}: {edit['value']}\r\n".encode()


def edit_header(header: bytes, edits: Edits) -> bytes:
    pieces = [piece for piece in _PIECE.findall(header) if piece]
    chosen = _choose(pieces, edits)
    adds = [edit for edit in edits if edit["edit"] == "add_header"]
    lost = [edit for edit in edits if edit["edit"] == "replace_header" and not _matching(pieces, edit)]
    top = [edit for edit in adds if edit.get("at", "top") == "top"]
    bottom = [edit for edit in edits if edit in lost or edit in adds and edit not in top]
    start = 1 if pieces and _is_preamble(pieces[0]) else 0
    end = next((place for place in range(start, len(pieces)) if not _name(pieces[place])), len(pieces))
    out: List[bytes] = pieces[:start] + [_field(edit) for edit in top]
    for place in range(start, len(pieces) + 1):
        if place == end:
            out += [_field(edit) for edit in bottom]
        if place < len(pieces):
            edit = chosen.get(place)
            if edit is None:
                out.append(pieces[place])
            elif edit["edit"] == "replace_header":
                out.append(_field(edit))
    # A last line without its end gets one before a field that comes behind it.
    ended = [piece if piece.endswith(b"\n") or piece is out[-1] else piece + b"\r\n" for piece in out]
    return b"".join(ended)


def _matching(pieces: Sequence[bytes], edit: Mapping[str, Any]) -> List[int]:
    """The places of the fields that a replace or delete means."""
    places = [place for place, piece in enumerate(pieces) if _name(piece) == edit["name"].lower()]
    nth = edit.get("nth", 1)
    return places if nth == 0 else places[nth - 1 : nth]


def _choose(pieces: Sequence[bytes], edits: Edits) -> Dict[int, Mapping[str, Any]]:
    """The last edit of each field that has one, by place."""
    return {place: edit for edit in edits if edit["edit"] in ("replace_header", "delete_header") for place in _matching(pieces, edit)}
