#!/usr/bin/env python3
"""A policy service without any SDK: JSON lines over a Unix socket. Refuses one sender, accepts all else.

    without_sdk.py /run/gatepost/simple.sock
"""

import json
import socketserver
import sys


class Connection(socketserver.StreamRequestHandler):
    def send(self, **message: object) -> None:
        self.wfile.write(json.dumps(message).encode() + b"\n")

    def handle(self) -> None:
        for line in self.rfile:
            message = json.loads(line)
            if message["type"] == "hello":
                self.send(type="register", version=1, service="simple", hooks={"mail": {}})
            elif message["type"] == "request" and message["args"]["address"].lower() == "spam@example.net":
                self.send(type="reply", id=message["id"], verdict="reject", code=550, status="5.7.1", text="Go away")
            elif message["type"] == "request":
                self.send(type="reply", id=message["id"], verdict="accept")
            elif message["type"] == "ping":
                self.send(type="pong")
            elif message["type"] == "error":
                print("the gateway says:", message["message"], file=sys.stderr)


if __name__ == "__main__":
    socketserver.ThreadingUnixStreamServer.daemon_threads = True
    socketserver.ThreadingUnixStreamServer(sys.argv[1], Connection).serve_forever()
