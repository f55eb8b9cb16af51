#!/usr/bin/python3
"""What HAProxy really writes: `record_haproxy.py FOLDER [PROGRAM]` starts it in front of a listening socket and
keeps each PROXY header in a file of FOLDER ("-": a temporary one). With PROGRAM, that then judges the folder."""

import pathlib
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
from typing import Callable, Dict, List, Tuple

HAPROXY = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin") or ""
OPTIONS = "send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,crc32c,unique-id,authority"
BIND_TLS = "ssl crt server.pem ca-file ca.pem verify optional ca-ignore-err all crt-ignore-err all alpn smtp"
# name: (what is bound, how it binds, how HAProxy speaks to the server, the client's certificate)
CASES: Dict[str, Tuple[str, str, str, str]] = {
    "v1-tcp4": ("127.0.0.1", "", "send-proxy", ""),
    "v1-tcp6": ("::1", "", "send-proxy", ""),
    "v1-unix": ("unix", "", "send-proxy", ""),
    "v2-tcp4": ("127.0.0.1", "", "send-proxy-v2", ""),
    "v2-tcp6": ("::1", "", "send-proxy-v2", ""),
    "v2-unix": ("unix", "", "send-proxy-v2", ""),
    "v2-options": ("127.0.0.1", "", OPTIONS, ""),
    "v2-tls": ("127.0.0.1", BIND_TLS, OPTIONS, ""),
    "v2-certificate": ("127.0.0.1", BIND_TLS, OPTIONS, "client.pem"),
    "v2-certificate-unknown": ("127.0.0.1", BIND_TLS, OPTIONS, "stranger.pem"),
    "v1-check": ("127.0.0.1", "", "send-proxy check-send-proxy check inter 1s", ""),
    "v2-check": ("127.0.0.1", "", "send-proxy-v2 check-send-proxy check inter 1s", ""),
}
GREETING = b"EHLO client.example.net\r\n"


def make_certificate(folder: pathlib.Path, name: str, subject: str, *signer: str) -> None:
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={subject}"]
    command += ["-keyout", f"{name}.key", "-out", f"{name}.crt", *signer]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    both = (folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text()
    (folder / f"{name}.pem").write_text(both)


def listen(where: str, path: pathlib.Path) -> socket.socket:
    family = {"unix": socket.AF_UNIX, "::1": socket.AF_INET6}.get(where, socket.AF_INET)
    listening = socket.socket(family)
    listening.bind(str(path) if where == "unix" else (where, 0))
    listening.listen()
    return listening


def connect(listening: socket.socket) -> socket.socket:
    client = socket.socket(listening.family)
    client.settimeout(20)
    if listening.family == socket.AF_INET:
        client.bind(("127.0.0.7", 0))
    client.connect(listening.getsockname())
    return client


def start_tls(client: socket.socket, folder: pathlib.Path, certificate: str) -> ssl.SSLSocket:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["smtp"])
    if certificate:
        context.load_cert_chain(folder / certificate)
    return context.wrap_socket(client, server_hostname="mx.example.org")


def receive(server: socket.socket, done: Callable[[bytes], bool]) -> bytes:
    data = b""
    server.settimeout(20)
    while not done(data):
        try:
            more = server.recv(65536)
        except ConnectionResetError:  # that is how a health check ends
            more = b""
        if not more:
            break
        data += more
    return data


def record(name: str, front: socket.socket, back: socket.socket, folder: pathlib.Path) -> bytes:
    back.settimeout(20)
    if name.endswith("check"):  # HAProxy comes by itself, and goes
        with back.accept()[0] as server:
            return receive(server, lambda data: False)
    client = connect(front)
    if CASES[name][1]:
        client = start_tls(client, folder, CASES[name][3])
    with client, back.accept()[0] as server:
        client.sendall(GREETING)
        return receive(server, lambda data: data.endswith(GREETING))[: -len(GREETING)]


def write_config(folder: pathlib.Path, name: str, front: socket.socket, back: socket.socket) -> None:
    port = back.getsockname()[1]
    lines = ["defaults", " mode tcp", " timeout connect 20s", " timeout client 20s", " timeout server 20s"]
    lines += [f"listen {name}", f" server backend 127.0.0.1:{port} {CASES[name][2]}"]
    lines += [f" bind fd@{front.fileno()} {CASES[name][1]}", " unique-id-format mail-%ci"]
    (folder / "haproxy.cfg").write_text("\n".join(lines) + "\n")


def run_case(name: str, folder: pathlib.Path) -> bytes:
    front = listen(CASES[name][0], folder / f"{name}.sock")
    back = listen("127.0.0.1", folder)
    write_config(folder, name, front, back)
    command = [HAPROXY, "-db", "-f", "haproxy.cfg"]
    process = subprocess.Popen(command, cwd=folder, pass_fds=[front.fileno()], stderr=subprocess.PIPE)
    try:
        return record(name, front, back, folder)
    except OSError as error:
        process.kill()
        raise SystemExit(f"{name}: {error}\n{process.communicate()[1].decode()}")
    finally:
        process.kill()
        process.wait()
        back.close()
        front.close()


def record_all(into: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        make_certificate(folder, "ca", "Test authority")
        make_certificate(folder, "server", "mx.example.org")
        make_certificate(folder, "client", "client.example.net", "-CA", "ca.crt", "-CAkey", "ca.key")
        make_certificate(folder, "stranger", "stranger.example.net")
        for name in CASES:
            (into / f"haproxy-{name}").write_bytes(run_case(name, folder))


def main(arguments: List[str]) -> int:
    if not arguments:
        sys.exit(__doc__)
    if not HAPROXY:
        print("skipped: haproxy is not installed")
        return 77
    with tempfile.TemporaryDirectory() as temporary:
        folder = temporary if arguments[0] == "-" else arguments[0]
        record_all(pathlib.Path(folder))
        return subprocess.run([*arguments[1:], folder]).returncode if arguments[1:] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
