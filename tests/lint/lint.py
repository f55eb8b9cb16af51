#!/usr/bin/python3
"""The rules of the house that a compiler does not check. `lint.py RULE ROOT` prints each breach and fails.

includes   who may include whom (README.md has the picture), and which file may see which library
size       files of at most 400 lines, functions of at most 60
functions  calls that are never used
format     .clang-format decides
"""

import pathlib
import re
import subprocess
import sys
from typing import Iterator, List, Tuple

FILE_MAX, FUNCTION_MAX = 400, 60

# What each room may include besides itself.
ROOMS = {
    "protocol": set(),
    "base": set(),
    "shared": {"base", "protocol"},
    "smtp": {"base", "protocol"},
    "net": {"base", "protocol"},
    "message": {"base", "protocol"},
    "policy": {"shared", "net", "base", "protocol"},
    "relay": {"net", "base", "protocol"},
    "delivery": {"relay", "shared", "net", "base", "protocol"},
    "events": {"shared", "net", "base", "protocol"},
    "monitor": {"events", "shared", "net", "base", "protocol"},
    "config": {"net", "base", "protocol"},
    "drive": {"base", "protocol"},
    "session": {"smtp", "net", "message", "policy", "delivery", "events", "shared", "base", "protocol"},
    "client": {"gatepost", "protocol"},
    "gatepost": set(),
    "example": {"gatepost"},
    "process": {"session", "config", "smtp", "net", "policy", "delivery", "relay", "monitor", "events", "shared", "base", "protocol"},
}
# Of a room that may include protocol, only these headers where the list is shorter than the room.
PARTS = {
    ("shared", "protocol"): {"hook.h", "failure.h", "verdict.h"},
    ("smtp", "protocol"): {"hook.h", "utf8.h", "verdict.h"},
    ("net", "protocol"): {"jsonl.h"},
    ("relay", "protocol"): {"hook.h"},
    ("delivery", "protocol"): {"hook.h"},
    ("delivery", "relay"): {"relay.h", "relay_transaction.h"},
    ("process", "relay"): {"relay.h"},
    ("message", "protocol"): {"edit.h"},
}
# The only files that may see a library's header.
LIBRARIES = {
    # Scripts of `gatepost drive` are JSON, but not of the protocol.
    r"jansson\.h": r"protocol/(\w+_json|handshake)\.[ch]|gateway/drive/drive_(script|request)\.c|gateway/status_(read|text)\.c|clients/c/src/\w+\.[ch]",
    r"openssl/.*": r"gateway/net/tls\w*\.[ch]",
    r"cyaml/.*|yaml\.h": r"gateway/config/\w+\.[ch]",
    r"ares\.h": r"gateway/net/resolver_channel\.c",
    r"microhttpd\.h": r"gateway/monitor/http\.c",
    r"ev\.h": (
        # The relay's engine is without I/O.
        r"gateway/(net|policy|delivery|events|monitor|session|process)/\w+\.[ch]|gateway/relay/relay(_(?!engine)\w+)?\.[ch]"
    ),
    r"sys/socket\.h|netinet/.*|arpa/.*|sys/un\.h|netdb\.h": (
        r"gateway/net/\w+\.[ch]|gateway/(monitor/http|drive/drive_wire)\.c|gateway/\w+\.c|clients/c/(src/(listen|server\w*)|examples/\w+)\.c"
    ),
    r"time\.h|sys/time\.h": r"gateway/(base|process|delivery)/\w+\.[ch]|gateway/command_io\.c",
}
FORBIDDEN = r"\b(strcpy|strcat|sprintf|vsprintf|strtok|gets|alloca|strncpy)\s*\("

Breach = Tuple[pathlib.Path, int, str]


def sources(root: pathlib.Path, *folders: str) -> List[pathlib.Path]:
    found = [path for folder in folders for path in (root / folder).rglob("*.[ch]")]
    if not found:
        sys.exit(f"lint: no C file below {root}")
    return sorted(found)


def room_of(path: pathlib.Path) -> str:
    parts = path.parts
    if parts[0] == "protocol":
        return "protocol"
    if parts[0] == "clients":
        return {"include": "gatepost", "src": "client"}.get(parts[2], "example")
    return parts[1] if len(parts) > 2 else ""


def includes(root: pathlib.Path) -> Iterator[Breach]:
    for path in sources(root, "protocol", "gateway", "clients"):
        here = path.relative_to(root)
        room = room_of(here)
        for number, line in enumerate(path.read_text().splitlines(), 1):
            match = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not match:
                continue
            name = match.group(2)
            if match.group(1) == "<":
                for library, allowed in LIBRARIES.items():
                    if re.fullmatch(library, name) and not re.fullmatch(allowed, str(here)):
                        yield here, number, f"<{name}> belongs to files like {allowed}"
            # The client's own headers stand in <> too: that is how its users reach them.
            if (match.group(1) == '"' or name.startswith("gatepost/")) and room and "/" in name:
                other, _, header = name.rpartition("/")
                if other != room and other not in ROOMS[room]:
                    yield here, number, f"{room} may not include {other}"
                if header not in PARTS.get((room, other), {header}):
                    yield here, number, f"{room} may include only {sorted(PARTS[room, other])} of {other}"


def size(root: pathlib.Path) -> Iterator[Breach]:
    files = sources(root, "protocol", "gateway", "clients", "tests")
    files += sorted((root / "clients").rglob("*.py")) + sorted((root / "tests").rglob("*.py"))
    for path in files:
        lines = path.read_text().splitlines()
        here = path.relative_to(root)
        if len(lines) > FILE_MAX:
            yield here, len(lines), f"{len(lines)} lines, at most {FILE_MAX}"
        start = 0
        for number, line in enumerate(lines, 1):
            if path.suffix == ".py":
                continue
            if line == "{":
                start = number
            elif line == "}" and start:
                if number - start - 1 > FUNCTION_MAX:
                    yield here, start, f"a function of {number - start - 1} lines, at most {FUNCTION_MAX}"
                start = 0


def functions(root: pathlib.Path) -> Iterator[Breach]:
    for path in sources(root, "protocol", "gateway", "clients", "tests"):
        text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), path.read_text(), flags=re.S)
        for number, line in enumerate(text.splitlines(), 1):
            match = re.search(FORBIDDEN, line)
            if match:
                yield path.relative_to(root), number, f"{match.group(1)}() is not used here"


def format(root: pathlib.Path) -> Iterator[Breach]:
    for path in sources(root, "protocol", "gateway", "clients", "tests"):
        result = subprocess.run(["clang-format", "--dry-run", "-Werror", str(path)], capture_output=True, text=True)
        if result.returncode:
            match = re.search(r":(\d+):", result.stderr)
            yield path.relative_to(root), int(match.group(1)) if match else 0, "run clang-format -i"


def main() -> int:
    rules = {"includes": includes, "size": size, "functions": functions, "format": format}
    if len(sys.argv) != 3 or sys.argv[1] not in rules:
        sys.exit(__doc__)
    breaches = list(rules[sys.argv[1]](pathlib.Path(sys.argv[2]).resolve()))
    for path, number, text in breaches:
        print(f"{path}:{number}: {text}")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
