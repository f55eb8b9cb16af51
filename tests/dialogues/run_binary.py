#!/usr/bin/env python3
"""Plays dialogue files against a gatepost program, over TCP or over TLS from the first octet.

Each file gets a gatepost process of its own, with a policy service that asserts the H: lines and
answers the V: lines, and a subscriber that checks the E: lines. Exit code 0 when all went as written.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import logging
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import List, Optional

from binary_player import Failure, play
from dialogue_file import BadDialogue, Dialogue, read
from gateway import HOSTNAME, GatewayError


def make_certificate(directory: str) -> str:
    """Returns the path without .pem and .key."""
    path = f"{directory}/certificate"
    command = f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={HOSTNAME}"
    files = ["-out", path + ".pem", "-keyout", path + ".key"]
    subprocess.run([*command.split(), *files], check=True, stderr=subprocess.DEVNULL)
    return path


def listener_tls(dialogue: Dialogue, mode: str) -> Optional[str]:
    """What the listener speaks when the file is played in this mode; None when it cannot be.

    Implicit TLS has no STARTTLS, so a dialogue with STARTTLS is played in mode tcp only, where its
    second part is under TLS anyway; one with `set implicit_tls` in mode tls only. A dialogue about
    the secure hook says itself when the handshake is. Python's TLS cannot half-close.
    """
    if dialogue.engine_only:
        return None
    if mode == "tcp":
        if dialogue.settings.get("implicit_tls"):
            return None
        return "starttls" if dialogue.settings.get("starttls") else "none"
    if dialogue.settings.get("implicit_tls"):
        return "implicit"
    if dialogue.starts_tls or "secure" in dialogue.hooks or dialogue.of("W"):
        return None
    return "implicit"


async def play_file(dialogue: Dialogue, options: argparse.Namespace, tls: str, number: int) -> Optional[str]:
    """None, or what went wrong. A dialogue of wrong/ must go wrong, and in the way that it names."""
    found: Optional[str] = None
    try:
        await play(dialogue, options.gatepost, tls, options.certificate, number)
    except (Failure, GatewayError, OSError) as error:
        found = str(error)
    if not dialogue.fails:
        return found
    if found is not None and re.search(dialogue.fails, found):
        return None
    return f"{dialogue.path}: had to fail with {dialogue.fails!r}; found: {found}"


async def play_all(dialogues: List[Dialogue], options: argparse.Namespace) -> int:
    seats = asyncio.Semaphore(options.jobs)
    numbers = itertools.count()
    failures = played = 0

    async def one(dialogue: Dialogue) -> None:
        nonlocal failures, played
        tls = listener_tls(dialogue, options.mode)
        if tls is None:
            return
        async with seats:
            problem = await play_file(dialogue, options, tls, next(numbers))
        played += 1
        if problem is not None:
            failures += 1
            print(f"FAILED {problem}", flush=True)
        elif options.verbose:
            print(f"ok {dialogue.path}", flush=True)

    await asyncio.gather(*(one(dialogue) for dialogue in dialogues))
    only = sum(dialogue.engine_only for dialogue in dialogues)
    print(f"{played} dialogues played over {options.mode}, {failures} failed, {only} are for the engine alone")
    # A runner that plays nothing must not look like one that passes.
    return 1 if failures or not played else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--gatepost", required=True, help="the program")
    parser.add_argument("--mode", choices=("tcp", "tls"), required=True)
    parser.add_argument("--jobs", type=int, default=4, help="how many files at a time")
    parser.add_argument("--verbose", action="store_true", help="name the files that went as written")
    parser.add_argument("files", nargs="+", help="dialogues, or directories of them")
    options = parser.parse_args()
    # The package tells of connections made and lost, which here come and go with each file.
    logging.getLogger("gatepost").setLevel(logging.ERROR)
    options.gatepost = str(Path(options.gatepost).resolve())
    began = time.monotonic()
    try:
        dialogues = []
        for name in options.files:
            path = Path(name)
            files = sorted(path.glob("*.smtp")) if path.is_dir() else [path]
            dialogues += [read(str(file)) for file in files]
    except BadDialogue as error:
        print(error, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="gatepost-dialogue-") as directory:
        options.certificate = make_certificate(directory)
        Path(directory).chmod(0o755)
        code = asyncio.run(play_all(dialogues, options))
    print(f"{time.monotonic() - began:.1f} s")
    return code


if __name__ == "__main__":
    sys.exit(main())
