#!/usr/bin/env python3
"""A policy service that the mail goes to: stores each message as a file, with its envelope beside it.

    deliver.py /run/gatepost/deliver.sock /var/lib/deliver

The gateway's configuration makes it a delivery, `deliveries: [{name: app, service: deliver}]`. The client is told
250 when this service accepts with a ref, so it does that last: files and folder are on the disk by then.

A message has a key. The question comes again under the same key when the connection was lost before the answer:
then the message is there already, and the answer is the same. So the key is the name of the file.

    FOLDER/KEY.eml    the message as it was received
    FOLDER/KEY.json   sender and recipients, in place before the message; "quarantine": true when it is to be held
    FOLDER/tmp        what is being written; what a crash leaves there was never accepted
"""

import argparse
import io
import json
import logging
import os
import pathlib
import shutil
import tempfile
from typing import BinaryIO
from urllib.parse import quote

import gatepost


def sync_folder(folder: pathlib.Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def put(folder: pathlib.Path, name: str, content: BinaryIO) -> None:
    """The file is whole and synced before it has its name; who was first keeps it."""
    descriptor, part = tempfile.mkstemp(dir=folder / "tmp")
    try:
        with open(descriptor, "wb") as file:
            shutil.copyfileobj(content, file)
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(part, folder / name)
        except FileExistsError:
            pass  # the same key: the same message
    finally:
        os.unlink(part)


def store(folder: pathlib.Path, request: gatepost.Request) -> str:
    """The name of the file that has the message, which is safe when this returns."""
    assert request.key is not None
    name = quote(request.key, safe="")
    if not (folder / f"{name}.eml").exists():
        with request.body.open() as content:
            recipients = request.context["recipients"]
            held = request.args.get("quarantine", False)
            text = json.dumps({"sender": request.context["mail"], "recipients": recipients, "quarantine": held})
            put(folder, f"{name}.json", io.BytesIO(text.encode()))
            put(folder, f"{name}.eml", content)
    # Also when it was there: who made it may have died before this.
    sync_folder(folder)
    return f"{name}.eml"


def make_service(folder: pathlib.Path) -> gatepost.Service:
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    sync_folder(folder.parent)
    service = gatepost.Service("deliver", body=["inline", "fd", "path"])

    @service.message
    def message(request: gatepost.Request) -> gatepost.Verdict:  # a plain function: it blocks on the disk
        if not request.ready.delivers:
            logging.error("policy %s does not deliver: it needs a delivery with service: %s", request.ready.policy, request.ready.policy)
            return gatepost.tempfail("Not set up to take mail", 451, "4.3.5")
        # A disk that is full, or anything else that goes wrong, is an exception, and that is a tempfail.
        return gatepost.accept(ref=store(folder, request))

    return service


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("socket", help="path of the Unix socket to listen at")
    parser.add_argument("folder", type=pathlib.Path, help="where the messages go")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    make_service(options.folder).run(options.socket)


if __name__ == "__main__":
    main()
