#!/usr/bin/env python3
"""A policy service: marks the subject of mail from outside.

    subject_tag.py /run/gatepost/tag.sock --tag "[EXT]"

It asks for the header section only. Other fields keep every octet, so their signatures still verify.
"""

import argparse
import logging
import re

import gatepost
from gatepost import edits


SUBJECT = re.compile(rb"^subject[ \t]*:(.*(?:\r?\n[ \t].*)*)", re.IGNORECASE | re.MULTILINE)


def new_subject(header: bytes, tag: str) -> str:
    """The subject with the tag before it, else as it was: an encoded word stays one. "" when the tag is there already."""
    found = SUBJECT.search(header)
    old = found.group(1).decode("utf-8", "replace") if found else ""
    text = "\r\n ".join(line.strip() for line in re.split(r"\r?\n", old) if line.strip())
    return "" if text.startswith(tag) else f"{tag} {text}".rstrip()


def make_service(tag: str) -> gatepost.Service:
    service = gatepost.Service("subject-tag", body=["headers"])

    @service.message
    async def message(request: gatepost.Request) -> gatepost.Verdict:
        if "auth" in request.context:  # our own people
            return gatepost.accept()
        subject = new_subject(request.body.read(), tag)
        return gatepost.accept(edits=[edits.replace_header("Subject", subject)] if subject else [])

    return service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="path of the Unix socket to listen at")
    parser.add_argument("--tag", default="[EXT]", help="text before the subject (default %(default)s)")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    make_service(options.tag).run(options.socket)


if __name__ == "__main__":
    main()
