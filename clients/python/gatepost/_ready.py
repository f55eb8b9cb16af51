"""What the gateway said when a connection became ready."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, Mapping, Optional, Tuple


@dataclass(frozen=True)
class Ready:
    """What holds on one connection of a gateway.

    policy   the name of this service in the gateway's configuration
    mode     "enforce", or "shadow": answers have no effect and are only reported
    grants   what the operator allows besides, such as "bypass"
    missing  the facts wanted in vain
    hooks    the hooks at which the gateway asks, with deadline_ms and maybe extend_ms
    window   how many requests can be open at a time
    body     the body modes in force
    spool    the directory of mode "path"
    delivers whether this policy answers for the messages that it accepts: its accept at message needs ref
    """

    policy: str = ""
    mode: str = "enforce"
    grants: Tuple[str, ...] = ()
    missing: Tuple[str, ...] = ()
    hooks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    window: int = 64
    body: Tuple[str, ...] = ("none",)
    spool: Optional[str] = None
    delivers: bool = False

    @classmethod
    def of(cls, message: Dict[str, Any]) -> Ready:
        """Of a "ready" message that was checked."""
        return cls(
            message["policy"], message["mode"], tuple(message["grants"]), tuple(message["missing"]),
            message["hooks"], message["window"], tuple(message["body"]), message.get("spool"),
            message.get("delivers", False),
        )  # fmt: skip

    def extend_ms(self, hook: str) -> int:
        """How much longer than its deadline an answer at this hook can take at most; 0: not at all."""
        return int(self.hooks.get(hook, {}).get("extend_ms", 0))
