#!/usr/bin/env python3
"""A policy service: closes the connection of clients that guess recipients.

    recipients.py /run/gatepost/recipients.sock alice@example.com bob@example.com

It remembers nothing itself. The count of wrong guesses is kept by the gateway for the session, so it holds
whichever process is asked. Services after this one see the label "guesser" and may be strict with it.
"""

import argparse
import logging
from typing import Set

import gatepost

GUESSES = 5
"""Unknown recipients in one connection before it is closed."""


def make_service(known: Set[str]) -> gatepost.Service:
    service = gatepost.Service("recipients")

    @service.rcpt
    async def rcpt(request: gatepost.Request) -> gatepost.Verdict:
        if request.mailbox in known or request.mailbox.partition("@")[0] == "postmaster":
            return gatepost.accept()
        guesses = request.keep_session.get("guesses", 0) + 1
        if guesses >= GUESSES:
            return gatepost.disconnect("Too many unknown recipients", reason="guessing")
        return gatepost.reject(
            "No such mailbox", 550, "5.1.1", reason="unknown", labels=["guesser"], keep_session={"guesses": guesses}
        )

    return service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="path of the Unix socket to listen at")
    parser.add_argument("recipient", nargs="+", help="mailbox that exists")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    make_service({recipient.lower() for recipient in options.recipient}).run(options.socket)


if __name__ == "__main__":
    main()
