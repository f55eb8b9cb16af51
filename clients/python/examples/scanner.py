#!/usr/bin/env python3
"""A policy service: holds messages in which a byte string of a list is found.

    scanner.py /run/gatepost/scanner.sock --signature "X5O!P%@AP" --signature "evil.example"

A model for anything slow: it works in a thread, reads the message from a file piece by piece, and asks for more
time while it does. A small message comes with the request, a large one as an open file ("fd"); where
the gateway runs on another machine's file system that is mounted here, use "path" instead.
"""

import argparse
import logging
import time
from typing import BinaryIO, Callable, List, Optional

import gatepost

PIECE = 1048576
PATIENCE = 10.0
"""Seconds that are asked for while it works, again when half of them are over."""


def scan(file: BinaryIO, signatures: List[bytes], on_piece: Callable[[], object]) -> Optional[bytes]:
    """The first signature found, or None. Also one that lies across two pieces."""
    overlap = max(map(len, signatures), default=1) - 1
    tail = b""
    while True:
        piece = file.read(PIECE)
        if not piece:
            return None
        window = tail + piece
        for signature in signatures:
            if signature in window:
                return signature
        tail = window[len(window) - overlap :] if overlap else b""
        on_piece()


def make_service(signatures: List[bytes]) -> gatepost.Service:
    service = gatepost.Service("scanner", body=["inline", "fd"], window=8, threads=4)

    @service.message
    def message(request: gatepost.Request) -> gatepost.Verdict:
        asked = 0.0

        def go_on() -> None:
            nonlocal asked
            if time.monotonic() - asked > PATIENCE / 2:
                request.more_time(PATIENCE)
                asked = time.monotonic()

        with request.body.open() as file:
            found = scan(file, signatures, go_on)
        if found is None:
            return gatepost.accept()
        return gatepost.quarantine(reason="signature", labels=["infected"])

    return service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="path of the Unix socket to listen at")
    parser.add_argument("--signature", action="append", required=True, help="text that no message may have")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    make_service([signature.encode() for signature in options.signature]).run(options.socket)


if __name__ == "__main__":
    main()
