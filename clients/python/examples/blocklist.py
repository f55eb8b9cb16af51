#!/usr/bin/env python3
"""A policy service: refuses listed senders and clients, and recipients that do not exist.

    blocklist.py /run/blocklist/policy.sock --block spam@example.net --block @bad.example \\
        --block 192.0.2.7 --recipient alice@example.com --recipient bob@example.com
"""

import argparse
import logging
from typing import Set

import gatepost


def make_service(blocked: Set[str], recipients: Set[str]) -> gatepost.Service:
    """blocked: mailboxes, "@domain"s and client addresses. recipients: empty means that all exist."""
    service = gatepost.Service("blocklist")

    @service.connect
    def connect(request: gatepost.Request) -> gatepost.Verdict:
        if request.client_ip in blocked:
            return gatepost.reject("Your address is blocked here", reason="client_blocked")
        return gatepost.accept()

    @service.mail
    def mail(request: gatepost.Request) -> gatepost.Verdict:
        sender = request.mailbox
        if sender in blocked or "@" + sender.rpartition("@")[2] in blocked:
            return gatepost.reject("Sender is blocked", 550, "5.7.1", reason="sender_blocked")
        return gatepost.accept()

    @service.rcpt
    def rcpt(request: gatepost.Request) -> gatepost.Verdict:
        # RFC 5321 4.5.1: postmaster is always reachable.
        if not recipients or request.mailbox in recipients or request.mailbox.partition("@")[0] == "postmaster":
            return gatepost.accept()
        return gatepost.reject("No such mailbox", 550, "5.1.1", reason="unknown_recipient")

    return service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="path of the Unix socket to listen at")
    parser.add_argument("--block", action="append", default=[], help="mailbox, @domain or client address")
    parser.add_argument("--recipient", action="append", default=[], help="mailbox that exists; none: all do")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    make_service({item.lower() for item in options.block}, {item.lower() for item in options.recipient}).run(options.socket)


if __name__ == "__main__":
    main()
