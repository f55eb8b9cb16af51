"""What a step of a session came to, as the client and the delivery would see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple

# The replies where a verdict names none (protocol/hooks.def), and those of an accepted command.
REFUSALS = {
    "connect": {"reject": (554, "5.7.1"), "tempfail": (421, "4.7.0")},
    "ehlo": {"reject": (550, "5.7.1"), "tempfail": (451, "4.7.1")},
    "starttls": {"reject": (554, "5.7.1"), "tempfail": (454, "4.7.0")},
    "secure": {"reject": (554, "5.7.1"), "tempfail": (451, "4.7.1")},
    "auth": {"reject": (535, "5.7.8"), "tempfail": (454, "4.7.0")},
    "mail": {"reject": (550, "5.7.1"), "tempfail": (451, "4.7.1")},
    "rcpt": {"reject": (550, "5.7.1"), "tempfail": (451, "4.7.1")},
    "data": {"reject": (554, "5.7.1"), "tempfail": (451, "4.7.1")},
    "message": {"reject": (554, "5.7.1"), "tempfail": (451, "4.7.1")},
}
ACCEPTED = {
    "connect": 220, "ehlo": 250, "starttls": 220, "secure": None, "auth": 235, "mail": 250, "rcpt": 250, "data": 354,
    "message": 250,
}  # fmt: skip
OWN_REPLY = ("mail", "rcpt", "message")  # the hooks at which an accept has a code and text of its own


@dataclass(frozen=True)
class Answer:
    """What a step of a session came to.

    hook        where
    verdict     "accept", "tempfail" and so on
    code        the SMTP reply code that the client gets; None at secure when it is accepted
    status      the enhanced status code as far as the verdict or its hook names one, else ""
    text        the lines of the reply that the policy named
    reason      for events, or None
    asked       False: the policy was not asked, since it has no function for the hook, or an earlier
                answer stands (until=)
    labels      the labels of this answer
    edits       the edits of this answer, in wire form
    more_time   the seconds that request.more_time() asked for, in order
    request     the request as the gateway would send it, None when not asked
    reply       the reply as it would go to the gateway, None when not asked

    After message() besides:

    message     the message as it would be delivered, header edits made; None when it is refused or discarded
    sender      the sender it would be delivered with
    recipients  the addresses it would be delivered to
    quarantine  whether the delivery would hold it
    ref         where a policy that delivers has put it; "": nowhere
    """

    hook: str
    verdict: str = "accept"
    code: Optional[int] = None
    status: str = ""
    text: Tuple[str, ...] = ()
    reason: Optional[str] = None
    asked: bool = False
    labels: Tuple[str, ...] = ()
    edits: Tuple[Mapping[str, Any], ...] = ()
    more_time: Tuple[float, ...] = ()
    request: Optional[Dict[str, Any]] = field(default=None, repr=False)
    reply: Optional[Dict[str, Any]] = field(default=None, repr=False)
    message: Optional[bytes] = None
    sender: Optional[str] = None
    recipients: Tuple[str, ...] = ()
    quarantine: bool = False
    ref: str = ""

    @property
    def accepted(self) -> bool:
        """Whether the client is told success. After a discard it is."""
        return self.verdict in ("accept", "bypass", "quarantine", "discard")


def reply_to_client(hook: str, reply: Mapping[str, Any]) -> Tuple[Optional[int], str]:
    """Code and status that the client gets, defaults filled in."""
    verdict, code, status = reply["verdict"], reply.get("code"), reply.get("status", "")
    if verdict in ("tempfail", "reject"):
        default = REFUSALS[hook][verdict]
        if hook == "connect" and verdict == "tempfail":
            return 421, ""  # the banner has room for no other
        return code or default[0], status or default[1]
    if verdict == "disconnect":
        final = status.startswith("5") or (code or 0) >= 500
        return code or (554 if final else 421), status or ("5.7.1" if final else "4.7.0")
    if hook in OWN_REPLY:
        return code or ACCEPTED[hook], status
    return ACCEPTED[hook], ""
