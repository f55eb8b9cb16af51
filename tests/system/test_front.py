"""Who the client is: names from a real DNS server, relay clients, XCLIENT, early talkers, certificates; and a reload."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import subprocess
from typing import Any, Iterator, List

from gateway import ACCEPT_ALL, PATIENCE, Gateway, free_port, service_process, socket_folder, unittest, wait_until

# Writes the context of each request to a file, a line each.
RECORDER = """
import json
service = gatepost.Service("recorder", window=256)
def record(request):
    with open(PATH, "a") as file:
        file.write(json.dumps({"hook": request.hook, **request.context}) + "\\n")
    return gatepost.accept()
for hook in ("connect", "ehlo", "starttls", "secure", "mail", "rcpt", "data", "message"):
    getattr(service, hook)(record)
"""


@contextlib.contextmanager
def dns(*records: str) -> Iterator[str]:
    """A DNS server on loopback with records of our own; yields its address."""
    port = free_port()
    command = ["dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", f"--port={port}", "--listen-address=127.0.0.1",
               "--bind-interfaces", "--user=root", "--conf-file=/dev/null", *records]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port) or process.poll() is not None, "the DNS server")
        assert process.poll() is None
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def answers(port: int) -> bool:
    query = b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01x\x00\x00\x01\x00\x01"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, contextlib.suppress(OSError):
        sock.settimeout(0.2)
        sock.connect(("127.0.0.1", port))
        sock.send(query)
        return bool(sock.recv(512))
    return False


class Front(unittest.TestCase):
    @contextlib.contextmanager
    def recorded(self, **options: Any) -> Iterator[Any]:
        """A gateway with a recording service: yields it and a function that reads what was recorded."""
        import json

        with socket_folder() as folder:
            path = folder / "record"
            with service_process(f"{folder}/p.sock", f"PATH = {str(path)!r}\n" + RECORDER):
                with Gateway(policies={"p": f"{folder}/p.sock"}, **options) as gateway:
                    yield gateway, lambda: [json.loads(line) for line in path.read_text().splitlines()]

    def test_names(self) -> None:
        records = ("--host-record=good.example,127.0.0.1", "--ptr-record=3.0.0.127.in-addr.arpa,liar.example",
                   "--host-record=liar.example,127.0.0.99")  # fmt: skip
        with dns(*records) as server:
            extra = f"resolver: {{servers: ['{server}'], timeout: 5s}}\n"
            with self.recorded(listener="    resolve_names: true\n", extra=extra) as (gateway, contexts):
                for source in ("127.0.0.1", "127.0.0.3", "127.0.0.4"):
                    with socket.create_connection(("127.0.0.1", gateway.port), 30, (source, 0)) as sock:
                        self.assertEqual(sock.recv(4), b"220 ")
                clients = [context["client"] for context in contexts() if context["hook"] == "connect"]
                self.assertEqual((clients[0]["name"], clients[0]["name_verified"]), ("good.example", True))
                self.assertEqual((clients[1]["name"], clients[1]["name_verified"]), ("liar.example", False))
                self.assertNotIn("name", clients[2])

    def test_dns_that_does_not_answer(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            extra = f"resolver: {{servers: ['127.0.0.1:{silent.getsockname()[1]}'], timeout: 300ms}}\n"
            with Gateway(listener="    resolve_names: true\n", extra=extra) as gateway, gateway.connect() as client:
                client.start("EHLO client")

    def test_name_is_asked_while_the_banner_waits(self) -> None:
        """The question goes out at once, and its answer does not shorten the silence that is owed."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(("127.0.0.1", 0))
            silent.settimeout(PATIENCE)
            extra = f"resolver: {{servers: ['127.0.0.1:{silent.getsockname()[1]}'], timeout: 300ms}}\n"
            listener = "    resolve_names: true\n"
            with Gateway(listener=listener, extra=extra, limits="banner_wait: 30s") as gateway, gateway.connect() as client:
                silent.recv(512)
                with self.assertRaises(TimeoutError):
                    client.sock.settimeout(1)
                    client.sock.recv(1)
                client.sock.settimeout(PATIENCE)
                client.send(b"EHLO too early\r\n")
                self.assertEqual(client.reply()[:3], "554")

    def test_relay_clients(self) -> None:
        with Gateway(listener="    relay_clients: [127.0.0.2]\n") as gateway:
            for source, code in (("127.0.0.1", "550"), ("127.0.0.2", "250")):
                with gateway.connect(source) as client:
                    client.start("EHLO client", "MAIL FROM:<a@example.org>")
                    self.assertEqual(client.say("RCPT TO:<x@elsewhere.example>")[:3], code)

    def test_xclient(self) -> None:
        listener = "    xclient: [127.0.0.2]\n    relay_clients: [127.0.0.2, 192.0.2.9]\n"
        with self.recorded(listener=listener) as (gateway, contexts):
            with gateway.connect() as client:
                client.start("EHLO client")
                self.assertEqual(client.say("XCLIENT ADDR=192.0.2.9")[:9], "550 5.7.0")
            with gateway.connect("127.0.0.2") as client:
                client.start("EHLO proxy")
                self.assertEqual(client.say("XCLIENT NAME=mail.example.net ADDR=192.0.2.7 PORT=1234")[:3], "220")
                client.say("EHLO mail.example.net")
                client.say("MAIL FROM:<a@example.org>")
                # The proxy may relay; whoever it speaks for may not.
                self.assertEqual(client.say("RCPT TO:<x@elsewhere.example>")[:9], "550 5.7.1")
                self.assertEqual(client.say("RCPT TO:<b@example.com>")[:3], "250")
                rcpt = [context["client"] for context in contexts() if context["hook"] == "rcpt"][-1]
                self.assertEqual(rcpt, {"ip": "192.0.2.7", "port": 1234, "name": "mail.example.net", "name_verified": True})
            with gateway.connect("127.0.0.2") as client:
                client.start("EHLO proxy", "XCLIENT ADDR=192.0.2.9", "EHLO y", "MAIL FROM:<a@example.org>", "RCPT TO:<x@elsewhere.example>")

    def test_early_talk(self) -> None:
        with Gateway(limits="banner_wait: 300ms") as gateway:
            with gateway.connect() as client:
                client.send(b"EHLO too early\r\n")
                self.assertEqual(client.reply()[:3], "554")
                self.assertEqual(client.reply(), "")
            with gateway.connect() as client:
                client.start("EHLO patient", "QUIT")
            gateway.wait_for("disconnect", 2)
            self.assertEqual(len(gateway.events("violation", what="early_talk")), 1)
            self.assertEqual(len(gateway.events("disconnect", reason="early_talk")), 1)

    def test_client_certificates(self) -> None:
        with self.recorded(listener="    client_certificates: request\n") as (gateway, contexts):
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            context.load_cert_chain(gateway.folder / "cert.pem", gateway.folder / "key.pem")
            with socket.create_connection(("127.0.0.1", gateway.tls_port), 30) as sock, context.wrap_socket(sock) as tls:
                self.assertEqual(tls.recv(4), b"220 ")
            peer = [entry["tls"]["peer"] for entry in contexts() if entry["hook"] == "secure"][0]
            self.assertEqual((peer["verified"], peer["subject"]), (False, "CN=mx.example.com"))

    def test_client_certificates_required(self) -> None:
        """One that the authority has signed opens a session, its facts are told; a stranger's or none is the end."""
        with self.recorded(listener="    client_certificates: request\n") as (gateway, contexts):
            text = gateway.config.read_text().replace("client_certificates: request", "client_certificates: require")
            (known := gateway.folder / "known").mkdir()
            for name in ("cert.pem", "key.pem"):
                shutil.copy(gateway.folder / name, known)
            gateway._make_certificate()  # the stranger's, and what the gateway shows from now on
            gateway.config.write_text(text.replace("\ntls:\n", f"\ntls:\n  client_ca: {known}/cert.pem\n"))
            os.kill(gateway.process.pid, signal.SIGHUP)
            gateway.wait_for("gateway.reload", ok=True)
            wait_until(lambda: len(gateway.children()) == 2, "the end of the old worker")
            for folder in (known, gateway.folder, None):
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                if folder:
                    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
                with socket.create_connection(("127.0.0.1", gateway.tls_port), 30) as sock, contextlib.suppress(ssl.SSLError):
                    with context.wrap_socket(sock) as tls:
                        self.assertEqual(tls.recv(4), b"220 " if folder == known else b"")
            gateway.wait_for("disconnect", 2, reason="tls")
            peers = [entry["tls"]["peer"] for entry in contexts() if entry["hook"] == "secure"]
            self.assertEqual([(peer["verified"], peer["subject"]) for peer in peers], [(True, "CN=mx.example.com")])


class Reload(unittest.TestCase):
    def certificate(self, gateway: Gateway) -> bytes:
        pem = ssl.get_server_certificate(("127.0.0.1", gateway.tls_port))
        return ssl.PEM_cert_to_DER_cert(pem)

    def test_new_certificate_without_a_dropped_session(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", ACCEPT_ALL):
            with Gateway(policies={"p": f"{folder}/p.sock"}, workers=2) as gateway:
                old = self.certificate(gateway)
                clients = [gateway.connect() for _ in range(20)]
                for client in clients:
                    client.start("EHLO client", "MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA")
                gateway._make_certificate()
                os.kill(gateway.process.pid, signal.SIGHUP)  # type: ignore[union-attr]
                gateway.wait_for("gateway.ready", 4)
                wait_until(lambda: self.certificate(gateway) != old, "the new certificate: the old workers hear later that they are old")
                for client in clients:
                    self.assertEqual(client.say("Subject: x\r\n\r\nhi\r\n.")[:3], "250")
                    self.assertEqual(client.say("QUIT")[:3], "221")
                    client.close()
                self.assertEqual(len(gateway.stored()), 20)
                wait_until(lambda: len(gateway.children()) == 3, "the end of the old workers")

    def test_bad_certificate_changes_nothing(self) -> None:
        with Gateway() as gateway:
            old = self.certificate(gateway)
            (gateway.folder / "cert.pem").write_text("garbage")
            os.kill(gateway.process.pid, signal.SIGHUP)  # type: ignore[union-attr]
            wait_until(lambda: "reload: nothing is changed" in gateway.log_text(), "the refusal")
            self.assertIn("cert.pem", gateway.log_text())
            self.assertEqual(self.certificate(gateway), old)
            self.assertEqual(len(gateway.events("gateway.ready")), 1)

    def test_no_client_is_refused_while_workers_change(self) -> None:
        with Gateway(workers=2) as gateway:
            answers: List[str] = []
            for turn in range(10):
                os.kill(gateway.process.pid, signal.SIGHUP)  # type: ignore[union-attr]
                for _ in range(10):
                    with gateway.connect() as client:
                        answers.append(client.reply()[:3])
                gateway.wait_for("gateway.ready", 2 + 2 * (turn + 1))
            self.assertEqual(set(answers), {"220"})


if __name__ == "__main__":
    unittest.main()
