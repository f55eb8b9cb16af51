#!/usr/bin/env python3
"""A policy service: a new combination of client network, sender and recipient must try again later.

    greylist.py /run/gatepost/greylist.sock --database /var/lib/greylist.db --delay 300

Real mail servers try again (RFC 5321 4.5.4.1); many spam programs do not.
"""

import argparse
import ipaddress
import logging
import sqlite3
import time
from typing import Callable, Optional

import gatepost

FORGET_AFTER = 36 * 86400
"""Seconds after which a combination that was not seen again is new once more."""


class Greylist:
    """When each combination was first and last seen."""

    def __init__(self, database: str, delay: float, now: Callable[[], float] = time.time) -> None:
        self.delay = delay
        self.now = now
        self.database = sqlite3.connect(database, check_same_thread=False)  # one thread at a time, see below
        self.database.execute("PRAGMA journal_mode=WAL")
        self.database.execute(
            "CREATE TABLE IF NOT EXISTS seen (network TEXT, sender TEXT, recipient TEXT, first REAL, last REAL,"
            " PRIMARY KEY (network, sender, recipient))"
        )

    def wait(self, network: str, sender: str, recipient: str) -> float:
        """Seconds that this combination has still to wait; 0 when it may pass."""
        now = self.now()
        key = (network, sender, recipient)
        with self.database:
            self.database.execute("DELETE FROM seen WHERE last < ?", (now - FORGET_AFTER,))
            self.database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?)", (*key, now, now))
            self.database.execute("UPDATE seen SET last = ? WHERE network = ? AND sender = ? AND recipient = ?", (now, *key))
            (first,) = self.database.execute(
                "SELECT first FROM seen WHERE network = ? AND sender = ? AND recipient = ?", key
            ).fetchone()
        return max(0.0, float(first) + self.delay - now)


def network_of(ip: Optional[str]) -> str:
    """Large senders try again from a neighbour: /24 and /64 count as one client."""
    if ip is None:
        return "unix"
    address = ipaddress.ip_address(ip)
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))


def make_service(greylist: Greylist) -> gatepost.Service:
    # SQLite waits for the disk, so the function is a plain one and runs in a thread: in one, since a
    # connection to the database is for one at a time.
    service = gatepost.Service("greylist", threads=1)

    @service.rcpt(need=["client", "mail"])
    def rcpt(request: gatepost.Request) -> gatepost.Verdict:
        wait = greylist.wait(network_of(request.client_ip), request.sender or "", request.mailbox)
        if wait > 0:
            return gatepost.tempfail(f"Greylisted, try again in {wait:.0f} seconds", 451, "4.7.1", reason="greylisted")
        return gatepost.accept()

    return service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="path of the Unix socket to listen at")
    parser.add_argument("--database", default=":memory:", help="SQLite file (default: forgotten at the end)")
    parser.add_argument("--delay", type=float, default=300.0, help="seconds a new combination waits (default 300)")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    make_service(Greylist(options.database, options.delay)).run(options.socket)


if __name__ == "__main__":
    main()
