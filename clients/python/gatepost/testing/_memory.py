"""What a gateway remembers of a policy's answers: what is kept, labels, answers that stand."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from .._verdict import IN_TRANSACTION

MAX_LABELS = 64


class Memory:
    def __init__(self, labels: Sequence[str]) -> None:
        self._keep: Dict[str, Dict[str, Any]] = {}
        self._labels: Dict[str, List[str]] = {"session": list(labels), "transaction": []}
        self._standing: Dict[str, Mapping[str, Any]] = {}
        self._from_connect: Optional[Mapping[str, Any]] = None

    def take(self, hook: str, reply: Mapping[str, Any]) -> None:
        for scope, value in reply.get("keep", {}).items():
            self._keep.pop(scope, None)
            if value is not None:
                self._keep[scope] = value
        labels = self._labels["transaction" if hook in IN_TRANSACTION else "session"]
        for label in reply.get("labels", ()):
            if label not in self.labels() and len(self.labels()) < MAX_LABELS:
                labels.append(label)
        until = reply.get("until", "command")
        if until != "command":
            self._standing[until] = reply
            if hook == "connect":
                self._from_connect = reply

    def labels(self) -> List[str]:
        return self._labels["session"] + self._labels["transaction"]

    def keep(self, hook: str) -> Dict[str, Dict[str, Any]]:
        """What goes with a request."""
        scopes = ("session", "transaction") if hook in IN_TRANSACTION else ("session",)
        return {scope: self._keep[scope] for scope in scopes if scope in self._keep}

    def standing(self, hook: str) -> Optional[Dict[str, Any]]:
        """The answer that stands at this hook; None: the policy is asked."""
        if hook in ("auth", "disconnect"):
            return None
        reply = self._standing.get("transaction") or self._standing.get("session")
        if reply is None:
            return None
        if reply["verdict"] in ("accept", "bypass", "quarantine"):
            return {"verdict": "accept" if reply["verdict"] == "bypass" else reply["verdict"]}
        left_out = ("code", "status") if reply.get("code") == 421 and hook != "connect" else ()
        return {key: reply[key] for key in ("verdict", "code", "status", "text", "reason") if key in reply and key not in left_out}

    def end_transaction(self) -> None:
        self._keep.pop("transaction", None)
        self._standing.pop("transaction", None)
        self._labels["transaction"] = []

    def secure(self) -> None:
        """STARTTLS: answers given in clear stand no more, but for those at connect."""
        self._standing = {} if self._from_connect is None else {"session": self._from_connect}
