#!/usr/bin/python3
"""services.py NAME SOCKET SEED [FILE]: one of the policy services of the soak test.

fast    decides by the words of the addresses (words.py)
slow    takes its time for recipients with its word, sometimes more than it has
flaky   ends without a word now and then; whoever started it starts it again
shadow  has an opinion by chance, which nobody may act upon
taker   a delivery: writes NUMBER TRANSACTION RECIPIENT,... to FILE for each message it takes over
"""

import asyncio
import ctypes
import logging
import os
import random
import signal
import sys
from typing import Set

from words import examine, word_of

import gatepost
from gatepost import edits

PR_SET_PDEATHSIG = 1
ALL = "connect ehlo starttls secure mail rcpt data message".split()


def fast(chance: random.Random) -> gatepost.Service:
    service = gatepost.Service("fast", window=256)
    answers = {
        ("mail", "nomail"): gatepost.reject("No mail from you", 550, "5.7.1"),
        ("mail", "unseen"): gatepost.discard(),
        ("data", "nodata"): gatepost.reject("No data from you", 554, "5.7.1"),
        ("rcpt", "unknown"): gatepost.reject("No such mailbox", 550, "5.1.1"),
        ("rcpt", "busy"): gatepost.tempfail("Try later", 451, "4.2.0"),
        ("rcpt", "gone"): gatepost.discard(),
        ("message", "edit"): gatepost.accept(edits=[edits.add_header("X-Soak", "yes"), edits.replace_header("Subject", "[soak] edit")]),
        ("message", "held"): gatepost.quarantine(labels=["held"]),
        ("message", "dropped"): gatepost.discard(),
        ("message", "refused"): gatepost.reject("Not this one", 554, "5.7.1"),
        ("message", "later"): gatepost.tempfail("Not now", 451, "4.7.1"),
    }

    async def decide(request: gatepost.Request) -> gatepost.Verdict:
        word = word_of(request.args["local"] if request.hook == "rcpt" else request.context.get("mail", request.args).get("local", ""))
        if request.hook == "message" and word == "broken":
            raise RuntimeError("this service fails on purpose")
        return answers.get((request.hook, word), gatepost.accept())

    for hook in ALL:
        getattr(service, hook)(decide)
    service.disconnect(lambda request: None)
    return service


def slow(chance: random.Random) -> gatepost.Service:
    service = gatepost.Service("slow", window=256)

    @service.rcpt
    async def rcpt(request: gatepost.Request) -> gatepost.Verdict:
        if word_of(request.args["local"]) == "slow":
            await asyncio.sleep(chance.uniform(0, 1.2))
        return gatepost.accept()

    return service


def flaky(chance: random.Random) -> gatepost.Service:
    service = gatepost.Service("flaky", window=256)

    @service.mail
    async def mail(request: gatepost.Request) -> gatepost.Verdict:
        if chance.random() < 0.003:
            os._exit(1)
        return gatepost.accept()

    return service


def shadow(chance: random.Random) -> gatepost.Service:
    service = gatepost.Service("shadow", window=256)

    async def opinion(request: gatepost.Request) -> gatepost.Verdict:
        return chance.choice((gatepost.accept(), gatepost.reject(), gatepost.tempfail()))

    for hook in ("rcpt", "message"):
        getattr(service, hook)(opinion)
    return service


def taker(chance: random.Random, path: str) -> gatepost.Service:
    service = gatepost.Service("taker", body=["inline", "fd"], window=64, threads=1)
    taken: Set[str] = set()
    file = open(path, "a", buffering=1)

    @service.message
    def message(request: gatepost.Request) -> gatepost.Verdict:
        assert request.key and request.transaction
        found = examine(request.body.read(), request.transaction)
        if request.key not in taken:
            taken.add(request.key)
            recipients = sorted(recipient["address"] for recipient in request.context["recipients"])
            file.write(f"{found.number} {found.transaction} {','.join(recipients)}\n")
        return gatepost.accept(ref=request.key)

    return service


def main() -> None:
    # With its parent ends every service, however that ended.
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    name, path, seed, *more = sys.argv[1:]
    logging.basicConfig(level=logging.CRITICAL)
    make = {"fast": fast, "slow": slow, "flaky": flaky, "shadow": shadow, "taker": taker}[name]
    service: gatepost.Service = make(random.Random(seed), *more)  # type: ignore[operator]
    service.run(path, mode=0o666)


if __name__ == "__main__":
    main()
