"""The wire: one strict JSON object per line, and the shape of every message.

Most users need nothing from here. decode() and encode() convert lines, check() verifies a message.
"""

from ._line import MAX_DEPTH, MAX_INT, MAX_LINE, Message, WireError, b64, decode, encode, is_int
from ._shape import BODY_MODES, EVENTS, EXTEND_MAX, FACTS, HOOKS, check, check_body, check_must, check_need

__all__ = [
    "BODY_MODES",
    "EVENTS",
    "EXTEND_MAX",
    "FACTS",
    "HOOKS",
    "MAX_DEPTH",
    "MAX_INT",
    "MAX_LINE",
    "Message",
    "WireError",
    "b64",
    "check",
    "check_body",
    "check_must",
    "check_need",
    "decode",
    "encode",
    "is_int",
]
