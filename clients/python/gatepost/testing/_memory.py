"""What a gateway remembers of a policy's answers: what is kept, labels, answers that stand."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Optional, Sequence

from .._verdict import IN_TRANSACTION

MAX_LABELS = 64
_ANYWHERE = (450, 451, 452, 550, 551, 552, 553, 554)  # codes that any command may have


class Memory:
    def __init__(self, labels: Sequence[str]) -> None:
        self._keep: Dict[str, Dict[str, Any]] = {}
        self._labels: Dict[str, List[str]] = {"session": list(labels), "transaction": []}
        self._standing: Optional[Mapping[str, Any]] = None
        self._standing_from = ""

    def take(self, hook: str, reply: Mapping[str, Any]) -> None:
        for scope, value in reply.get("keep", {}).items():
            self._keep.pop(scope, None)
            if value is not None:
                self._keep[scope] = value
        labels = self._labels["transaction" if hook in IN_TRANSACTION else "session"]
        for label in reply.get("labels", ()):
            if label not in self.labels() and len(self.labels()) < MAX_LABELS:
                labels.append(label)
        if reply.get("until", "command") != "command":
            self._standing, self._standing_from = reply, hook

    def labels(self) -> List[str]:
        return self._labels["session"] + self._labels["transaction"]

    def keep(self, hook: str) -> Dict[str, Dict[str, Any]]:
        """What goes with a request."""
        scopes = ("session", "transaction") if hook in IN_TRANSACTION else ("session",)
        return {scope: self._keep[scope] for scope in scopes if scope in self._keep}

    def standing(self, hook: str) -> Optional[Dict[str, Any]]:
        """The answer that stands at this hook; None: the policy is asked."""
        if self._standing is None or hook in ("auth", "disconnect"):
            return None
        fields = ["verdict", "reason"]
        if self._standing["verdict"] in ("tempfail", "reject"):
            fields += ["status", "text"]
            if self._standing.get("code") in ((454, 554) if hook == "starttls" else _ANYWHERE):
                fields.append("code")
        return {name: self._standing[name] for name in fields if name in self._standing}

    def end_transaction(self) -> None:
        self._keep.pop("transaction", None)
        if self._standing is not None and self._standing["until"] == "transaction":
            self._standing = None
        self._labels["transaction"] = []

    def secure(self) -> None:
        """STARTTLS: answers given in clear stand no more, but for those at connect."""
        if self._standing_from != "connect":
            self._standing = None
