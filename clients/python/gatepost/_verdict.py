"""Verdicts: what a policy function returns. A wrong one raises ValueError where it is built."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any, Dict, Mapping, Optional, Sequence, Tuple, Union

from . import edits as edits_module
from ._line import decode, encode
from .edits import Edit

Text = Union[str, Sequence[str]]
Keep = Optional[Mapping[str, Any]]

MAX_KEEP = 4096
"""Octets of one kept object, written without white space."""
MAX_LABELS = 16

_CODES = {
    "accept": (200, 299),
    "bypass": (200, 299),
    "quarantine": (200, 299),
    "discard": (200, 299),
    "tempfail": (400, 499),
    "reject": (500, 599),
    "disconnect": (400, 599),
}
_LASTING = ("accept", "bypass", "quarantine", "tempfail", "reject")
_EDITING = ("accept", "bypass", "quarantine")
IN_TRANSACTION = ("mail", "rcpt", "data", "message")
"""The hooks of a mail transaction."""
_STATUS = re.compile(r"([245])\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})", re.ASCII)
_TOKEN = re.compile(r"[a-z0-9_.-]{1,64}", re.ASCII)
_REF = re.compile(r"[!-~]([ -~]{0,126}[!-~])?", re.ASCII)


def check_verdict(verdict: object, code: object, status: object, text: object, reason: object) -> None:
    """Check the parts of a reply; None stands for a part that is left out. Raises ValueError."""
    if not isinstance(verdict, str) or verdict not in _CODES:
        raise ValueError(f"unknown verdict {verdict!r}: use {', '.join(_CODES)}")
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
        _check_text(text)
    if reason is not None and not (isinstance(reason, str) and _TOKEN.fullmatch(reason)):
        raise ValueError(f"reason must be 1 to 64 characters of a-z 0-9 _ . -, not {reason!r}")


def _check_text(text: object) -> None:
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


def check_extras(verdict: str, until: object, labels: object, keep: object, edits: object, ref: object = None) -> None:
    """The same for what else a reply may carry, in its wire form. Raises ValueError."""
    if until is not None and until not in ("command", "transaction", "session"):
        raise ValueError(f'until must be "command", "transaction" or "session", not {until!r}')
    if until not in (None, "command") and verdict not in _LASTING:
        raise ValueError(f"{verdict} cannot stand until the end of the {until}")
    if labels is not None:
        if not isinstance(labels, (list, tuple)) or not 1 <= len(labels) <= MAX_LABELS:
            raise ValueError(f"labels must be a list of 1 to {MAX_LABELS} words")
        for label in labels:
            if not isinstance(label, str) or not _TOKEN.fullmatch(label):
                raise ValueError(f"a label is 1 to 64 characters of a-z 0-9 _ . -, not {label!r}")
    if keep is not None:
        if not isinstance(keep, Mapping):
            raise ValueError("keep must be an object with session and transaction")
        for scope in ("session", "transaction"):
            if keep.get(scope) is not None:
                _check_keep(scope, keep[scope])
    if edits is not None:
        edits_module.check_edits(edits)
        if edits and verdict not in _EDITING:
            raise ValueError(f"{verdict} cannot have edits: use {', '.join(_EDITING)}")
    if ref is not None:
        if not isinstance(ref, str) or not _REF.fullmatch(ref):
            raise ValueError(f"ref must be 1 to 128 characters of printable ASCII without spaces at its ends, not {ref!r}")
        if verdict not in _EDITING:
            raise ValueError(f"{verdict} cannot have a ref: use {', '.join(_EDITING)}")


def _check_keep(scope: str, value: object) -> None:
    """Comes back what is sent? As JSON it must be the same, and small."""
    if not isinstance(value, Mapping):
        raise ValueError(f"what is kept for the {scope} must be a dict, not {type(value).__name__}")
    line = encode({"keep": {scope: value}})
    if decode(line) != {"keep": {scope: value}}:
        raise ValueError(f"what is kept for the {scope} must be plain JSON: string keys, lists instead of tuples")
    octets = len(json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8")) + _more_digits(value)
    if octets > MAX_KEEP:
        raise ValueError(f"what is kept for the {scope} has {octets} octets as JSON, {MAX_KEEP} are allowed")


def _more_digits(value: object) -> int:
    """How many octets longer the gateway writes the real numbers: with up to 17 digits."""
    if isinstance(value, float):
        text = format(value, ".17g")
        return len(text) + (0 if "." in text or "e" in text else 2) - len(json.dumps(value))
    if isinstance(value, Mapping):
        return sum(map(_more_digits, value.values()))
    return sum(map(_more_digits, value)) if isinstance(value, list) else 0


def check_answer(reply: Mapping[str, Any], request: Mapping[str, Any], grants: Sequence[str], delivers: bool = False) -> None:
    """Check a reply, right by itself, against the request it answers. Raises ValueError."""
    verdict, hook = reply["verdict"], request["hook"]
    if verdict in ("bypass", "quarantine") and hook == "auth" or verdict == "discard" and hook not in IN_TRANSACTION:
        raise ValueError(f"{verdict} is not possible at {hook}")
    if verdict == "bypass" and "bypass" not in grants:
        raise ValueError("bypass is not granted to this policy: it needs grants: [bypass] in the gateway's configuration")
    if hook not in IN_TRANSACTION:
        if reply.get("until") == "transaction":
            raise ValueError(f'there is no transaction at {hook}: use until="session"')
        if "transaction" in reply.get("keep", {}):
            raise ValueError(f"there is no transaction at {hook}: use keep_session")
    if "ref" in reply and hook != "message":
        raise ValueError(f"ref is not possible at {hook}: there is no message yet")
    if delivers and hook == "message" and verdict in _EDITING and "ref" not in reply:
        raise ValueError("this policy delivers: its accept needs ref")
    edits_module.check_at(reply.get("edits", ()), hook, len(request["context"].get("recipients", ())))


@dataclass(frozen=True)
class Verdict:
    """An answer to one request. Build it with accept(), reject() and the like."""

    verdict: str
    text: Optional[Tuple[str, ...]] = None
    code: Optional[int] = None
    status: Optional[str] = None
    reason: Optional[str] = None
    until: Optional[str] = None
    labels: Tuple[str, ...] = ()
    keep_session: Keep = None
    keep_transaction: Keep = None
    edits: Tuple[Edit, ...] = ()
    ref: Optional[str] = None

    def __post_init__(self) -> None:
        check_verdict(self.verdict, self.code, self.status, self.text, self.reason)
        fields = self._extras()
        check_extras(self.verdict, fields.get("until"), fields.get("labels"), fields.get("keep"), fields.get("edits"), self.ref)

    def _extras(self) -> Dict[str, Any]:
        fields: Dict[str, Any] = {}
        keep: Dict[str, Any] = {}
        if self.until is not None:
            fields["until"] = self.until
        if self.labels:
            fields["labels"] = list(self.labels)
        if self.keep_session is not None:
            keep["session"] = self.keep_session or None
        if self.keep_transaction is not None:
            keep["transaction"] = self.keep_transaction or None
        if keep:
            fields["keep"] = keep
        if self.edits:
            fields["edits"] = edits_module.wire_form(self.edits)
        if self.ref is not None:
            fields["ref"] = self.ref
        return fields

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
        reply.update(self._extras())
        return reply


def _tuple(values: Sequence[Any], what: str) -> Tuple[Any, ...]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise ValueError(f"{what} must be a list, not {values!r}")
    return tuple(values)


def _make(verdict: str, text: Optional[Text], labels: Sequence[str], edits: Sequence[Edit] = (), **parts: Any) -> Verdict:
    lines: Optional[Tuple[str, ...]] = None
    if text is not None:
        _check_text(text)
        lines = (text,) if isinstance(text, str) else tuple(text)
    return Verdict(verdict, lines, labels=_tuple(labels, "labels"), edits=_tuple(edits, "edits"), **parts)


def accept(
    text: Optional[Text] = None,
    code: Optional[int] = None,
    status: Optional[str] = None,
    *,
    reason: Optional[str] = None,
    until: Optional[str] = None,
    labels: Sequence[str] = (),
    keep_session: Keep = None,
    keep_transaction: Keep = None,
    edits: Sequence[Edit] = (),
    ref: Optional[str] = None,
) -> Verdict:
    """No objection: the next service is asked, and the command succeeds if none objects.

    text: one line, or a list of up to 10, of 1 to 480 printable ASCII characters each.
    code: 200 to 299. status: "2.x.y". reason: a short token, shown in events only.
    Code and text are used at mail, rcpt and message; at connect, ehlo, starttls, auth and data
    only the first line of the text is.
    until: "command" (the default), "transaction" or "session": so long this answer stands, and
    the service is not asked again (but always at auth).
    labels: up to 16 words of a-z 0-9 _ . -, which later services see in request.labels.
    keep_session, keep_transaction: a dict that comes back in later requests of the session or
    transaction, to any process of this policy: see request.keep_session. It takes the place of what was
    kept before; {} forgets; None leaves it. At most 4096 octets of JSON each.
    edits: changes in the message, see gatepost.edits.
    ref: at message, for a policy that delivers (request.ready.delivers): where the message is now. It must be
    safe there: the client is told 250. 1 to 128 printable ASCII characters.
    Raises ValueError when a value breaks these rules. What does not fit the hook (edits at connect,
    until="transaction" outside one) is found when the function returns, and handled as an exception in it.
    """
    return _make(
        "accept", text, labels, edits, code=code, status=status, reason=reason, until=until,
        keep_session=keep_session, keep_transaction=keep_transaction, ref=ref,
    )  # fmt: skip


def quarantine(
    text: Optional[Text] = None,
    code: Optional[int] = None,
    status: Optional[str] = None,
    *,
    reason: Optional[str] = None,
    until: Optional[str] = None,
    labels: Sequence[str] = (),
    keep_session: Keep = None,
    keep_transaction: Keep = None,
    edits: Sequence[Edit] = (),
    ref: Optional[str] = None,
) -> Verdict:
    """Like accept(), and the delivery holds the message: before mail, all messages of the session. Not at auth."""
    return _make(
        "quarantine", text, labels, edits, code=code, status=status, reason=reason, until=until,
        keep_session=keep_session, keep_transaction=keep_transaction, ref=ref,
    )  # fmt: skip


def bypass(
    text: Optional[Text] = None,
    code: Optional[int] = None,
    status: Optional[str] = None,
    *,
    reason: Optional[str] = None,
    until: Optional[str] = None,
    labels: Sequence[str] = (),
    keep_session: Keep = None,
    keep_transaction: Keep = None,
    edits: Sequence[Edit] = (),
    ref: Optional[str] = None,
) -> Verdict:
    """Like accept(), and the services after this one are not asked. Not at auth.

    The operator must grant it: "bypass" in request.ready.grants. Otherwise the answer is an error.
    """
    return _make(
        "bypass", text, labels, edits, code=code, status=status, reason=reason, until=until,
        keep_session=keep_session, keep_transaction=keep_transaction, ref=ref,
    )  # fmt: skip


def discard(
    text: Optional[Text] = None,
    code: Optional[int] = None,
    status: Optional[str] = None,
    *,
    reason: Optional[str] = None,
    labels: Sequence[str] = (),
    keep_session: Keep = None,
    keep_transaction: Keep = None,
) -> Verdict:
    """Tell the client that all is well, and throw the message away; at rcpt: this recipient only.

    For mail, rcpt, data and message. If your accept() has words of its own, give the same ones here: otherwise the
    client can see the difference.
    """
    return _make(
        "discard", text, labels, code=code, status=status, reason=reason, keep_session=keep_session, keep_transaction=keep_transaction
    )


def tempfail(
    text: Optional[Text] = None,
    code: Optional[int] = None,
    status: Optional[str] = None,
    *,
    reason: Optional[str] = None,
    until: Optional[str] = None,
    labels: Sequence[str] = (),
    keep_session: Keep = None,
    keep_transaction: Keep = None,
) -> Verdict:
    """A temporary refusal: the client may try again. code: 400 to 499, status: "4.x.y".

    Defaults: 421 4.7.0 at connect, 454 4.7.0 at starttls and auth, 451 4.7.1 elsewhere. A 421 closes
    the connection. Otherwise as accept().
    """
    return _make(
        "tempfail", text, labels, code=code, status=status, reason=reason, until=until,
        keep_session=keep_session, keep_transaction=keep_transaction,
    )  # fmt: skip


def reject(
    text: Optional[Text] = None,
    code: Optional[int] = None,
    status: Optional[str] = None,
    *,
    reason: Optional[str] = None,
    until: Optional[str] = None,
    labels: Sequence[str] = (),
    keep_session: Keep = None,
    keep_transaction: Keep = None,
) -> Verdict:
    """A permanent refusal. code: 500 to 599, status: "5.x.y"; otherwise as accept().

    Defaults: 550 5.7.1 at ehlo, mail and rcpt; 535 5.7.8 at auth; 554 5.7.1 elsewhere.
    """
    return _make(
        "reject", text, labels, code=code, status=status, reason=reason, until=until,
        keep_session=keep_session, keep_transaction=keep_transaction,
    )  # fmt: skip


def disconnect(
    text: Optional[Text] = None,
    code: Optional[int] = None,
    status: Optional[str] = None,
    *,
    reason: Optional[str] = None,
    labels: Sequence[str] = (),
    keep_session: Keep = None,
    keep_transaction: Keep = None,
) -> Verdict:
    """Refuse and close the connection. code: 400 to 599 (default 421; 554 with a 5.x.y status)."""
    return _make(
        "disconnect", text, labels, code=code, status=status, reason=reason,
        keep_session=keep_session, keep_transaction=keep_transaction,
    )  # fmt: skip
