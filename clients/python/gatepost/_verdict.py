"""Verdicts: what a policy function returns. A wrong one raises ValueError where it is built."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Dict, Optional, Sequence, Tuple, Union

Text = Union[str, Sequence[str]]

_CODES = {"accept": (200, 299), "tempfail": (400, 499), "reject": (500, 599), "disconnect": (400, 599)}
_STATUS = re.compile(r"([245])\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})", re.ASCII)
_REASON = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)


def check_verdict(verdict: object, code: object, status: object, text: object, reason: object) -> None:
    """Check the parts of a reply; None stands for a part that is left out. Raises ValueError."""
    if not isinstance(verdict, str) or verdict not in _CODES:
        raise ValueError(f"unknown verdict {verdict!r}: use accept, tempfail, reject or disconnect")
    low, high = _CODES[verdict]
    if code is not None:
        if not isinstance(code, int) or isinstance(code, bool):
            raise ValueError(f"code must be an integer, not {code!r}")
        if not low <= code <= high:
            raise ValueError(f"code {code} does not fit the verdict {verdict}: use {low} to {high}")
    if status is not None:
        match = _STATUS.fullmatch(status) if isinstance(status, str) else None
        if match is None:
            raise ValueError(f"status {status!r} is not an enhanced status code such as '5.7.1'")
        digit = int(match.group(1))
        if code is not None:
            if digit != int(str(code)[0]):
                raise ValueError(f"status {status} does not match code {code}")
        elif not low // 100 <= digit <= high // 100:
            raise ValueError(f"status {status} does not fit the verdict {verdict}")
    if text is not None:
        lines = [text] if isinstance(text, str) else text
        if not isinstance(lines, (list, tuple)) or not 1 <= len(lines) <= 10:
            raise ValueError("text must be a string or a list of 1 to 10 strings")
        for line in lines:
            if not isinstance(line, str):
                raise ValueError(f"text must consist of strings, not {line!r}")
            if not 1 <= len(line) <= 480:
                raise ValueError(f"a line of text must have 1 to 480 characters, not {len(line)}")
            if not all(" " <= char <= "~" for char in line):
                raise ValueError(f"text must be printable ASCII without control characters: {line!r}")
    if reason is not None and not (isinstance(reason, str) and _REASON.fullmatch(reason)):
        raise ValueError(f"reason must be 1 to 64 characters of a-z 0-9 _ . -, not {reason!r}")


@dataclass(frozen=True)
class Verdict:
    """An answer to one request. Build it with accept, reject, tempfail or disconnect."""

    verdict: str
    text: Optional[Tuple[str, ...]] = None
    code: Optional[int] = None
    status: Optional[str] = None
    reason: Optional[str] = None

    def __post_init__(self) -> None:
        check_verdict(self.verdict, self.code, self.status, self.text, self.reason)

    def message(self, request_id: int) -> Dict[str, Any]:
        """The reply message for the request with this id."""
        reply: Dict[str, Any] = {"type": "reply", "id": request_id, "verdict": self.verdict}
        if self.code is not None:
            reply["code"] = self.code
        if self.status is not None:
            reply["status"] = self.status
        if self.text is not None:
            reply["text"] = self.text[0] if len(self.text) == 1 else list(self.text)
        if self.reason is not None:
            reply["reason"] = self.reason
        return reply


def _make(verdict: str, text: Optional[Text], code: Optional[int], status: Optional[str], reason: Optional[str]) -> Verdict:
    lines: Optional[Tuple[str, ...]] = None
    if text is not None:
        check_verdict(verdict, None, None, text, None)
        lines = (text,) if isinstance(text, str) else tuple(text)
    return Verdict(verdict, lines, code, status, reason)


def accept(
    text: Optional[Text] = None, code: Optional[int] = None, status: Optional[str] = None, *, reason: Optional[str] = None
) -> Verdict:
    """No objection: the next service is asked, and the command succeeds if none objects.

    text: one line, or a list of up to 10, of 1 to 480 printable ASCII characters each.
    code: 200 to 299. status: "2.x.y". reason: a short token, shown in events only.
    Code and text are used at mail, rcpt and message; at connect, ehlo, starttls, auth and data
    only the first line of the text is. Raises ValueError when a value breaks these rules.
    """
    return _make("accept", text, code, status, reason)


def reject(
    text: Optional[Text] = None, code: Optional[int] = None, status: Optional[str] = None, *, reason: Optional[str] = None
) -> Verdict:
    """A permanent refusal. code: 500 to 599, status: "5.x.y"; otherwise as accept().

    Defaults: 550 5.7.1 at ehlo, mail and rcpt; 535 5.7.8 at auth; 554 5.7.1 elsewhere.
    """
    return _make("reject", text, code, status, reason)


def tempfail(
    text: Optional[Text] = None, code: Optional[int] = None, status: Optional[str] = None, *, reason: Optional[str] = None
) -> Verdict:
    """A temporary refusal: the client may try again. code: 400 to 499, status: "4.x.y".

    Defaults: 421 4.7.0 at connect, 454 4.7.0 at starttls and auth, 451 4.7.1 elsewhere. A 421 closes
    the connection. Otherwise as accept().
    """
    return _make("tempfail", text, code, status, reason)


def disconnect(
    text: Optional[Text] = None, code: Optional[int] = None, status: Optional[str] = None, *, reason: Optional[str] = None
) -> Verdict:
    """Refuse and close the connection. code: 400 to 599 (default 421; 554 with a 5.x.y status)."""
    return _make("disconnect", text, code, status, reason)
