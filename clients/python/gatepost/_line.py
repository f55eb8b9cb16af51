"""Lines: one strict JSON object each. What both channels share."""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from typing import Any, Dict, List, Mapping, NoReturn, Optional, Tuple

MAX_LINE = 1048576
"""The longest line in octets, without its LF."""
MAX_DEPTH = 16
MAX_INT = 2**53 - 1

Message = Dict[str, Any]

_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


class WireError(ValueError):
    """A line or message that breaks the protocol. `code` is the protocol's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _pairs(pairs: List[Tuple[str, Any]]) -> Dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate key")
    return result


def _int(digits: str) -> int:
    if len(digits) > 17 or abs(int(digits)) > MAX_INT:
        raise ValueError("integer beyond 2^53-1")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("number out of range")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _has_nul(value: object) -> bool:
    if isinstance(value, dict):
        return any(_has_nul(item) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(_has_nul(item) for item in value)
    return isinstance(value, str) and "\0" in value


def decode(line: bytes) -> Optional[Message]:
    """Parse one line (with or without its LF). None for a line of white space. Raises WireError."""
    if line.endswith(b"\n"):
        line = line[:-1]
    if len(line) > MAX_LINE:
        raise WireError("line_too_long", f"a line of more than {MAX_LINE} octets")
    if not line.strip(b" \t\r\n"):
        return None
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", line)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise WireError("bad_json", f"nested deeper than {MAX_DEPTH}")
    try:
        value = json.loads(
            line.decode("utf-8"), object_pairs_hook=_pairs, parse_int=_int, parse_float=_float, parse_constant=_constant
        )
        if b"\\u" in line:
            json.dumps(value, ensure_ascii=False).encode("utf-8")  # a lone surrogate is no text
            if b"\\u0000" in line and _has_nul(value):
                raise ValueError("NUL in a string")
    except ValueError as error:
        raise WireError("bad_json", f"not a strict JSON object: {error}") from None
    if not isinstance(value, dict):
        raise WireError("bad_json", "not a JSON object")
    return value


def encode(message: Mapping[str, Any]) -> bytes:
    """One line with its LF, in ASCII. Raises WireError when it would be too long or not valid."""
    try:
        text = json.dumps(message, ensure_ascii=False, allow_nan=False)
        text.encode("utf-8")
        line = json.dumps(message, separators=(",", ":"), allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise WireError("bad_json", f"cannot be sent as JSON: {error}") from None
    if len(line) > MAX_LINE:
        raise WireError("line_too_long", f"a line of more than {MAX_LINE} octets")
    return line + b"\n"


def is_int(value: object, low: int = 0) -> bool:
    """Whether value is an integer (not a boolean) of at least `low`."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def b64(value: object) -> bytes:
    """Strict base64. Raises WireError."""
    try:
        if not isinstance(value, str):
            raise ValueError
        return base64.b64decode(value.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise WireError("bad_message", "not valid base64") from None
