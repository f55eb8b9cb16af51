"""Health, readiness and metrics over HTTP: what they say is so, and whoever asks disturbs nobody."""

import contextlib
import os
import pathlib
import re
import signal
import socket
import ssl
import subprocess
import threading
from typing import Iterator, Optional

from gateway import ACCEPT_ALL, PROGRAM, Gateway, service_process, socket_folder, unittest, wait_until
from load import Load
from metrics import Metrics
from programs import promtool, run

MAIL = ("MAIL FROM:<a@example.org>", "RCPT TO:<b@example.com>", "DATA", "Subject: x\r\n\r\nhi\r\n.")

JUDGE = """
import time
service = gatepost.Service("judge", window=8)
@service.rcpt
def rcpt(request):
    name = request.mailbox.partition("@")[0]
    if name == "slow":
        time.sleep(30)
    return gatepost.reject() if name == "no" else gatepost.accept()
@service.message
def message(request):
    return gatepost.accept()
"""


@contextlib.contextmanager
def served(program: str = JUDGE, **settings: object) -> Iterator["tuple[Gateway, Metrics, str]"]:
    """A gateway with one service, its metrics, and the service's socket."""
    metrics = Metrics()
    with socket_folder() as folder:
        path = str(folder / "judge.sock")
        with service_process(path, program):
            with Gateway(policies={"judge": path}, extra=metrics.setting, **settings) as gateway:  # type: ignore[arg-type]
                yield gateway, metrics, path


def send_mail(gateway: Gateway) -> None:
    with gateway.connect() as client:
        client.start("EHLO client", *MAIL)
        client.say("QUIT")


def quit_over_tls(gateway: Gateway, context: ssl.SSLContext, session: Optional[ssl.SSLSession]) -> Optional[ssl.SSLSession]:
    """Takes this session up, if there is one; returns the one to take up next."""
    with socket.create_connection(("127.0.0.1", gateway.tls_port)) as plain, context.wrap_socket(plain, session=session) as secure:
        assert secure.recv(1000).startswith(b"220 ")
        secure.sendall(b"QUIT\r\n")
        assert secure.recv(1000).startswith(b"221 ")
        assert secure.session_reused == (session is not None)
        return secure.session


class Pages(unittest.TestCase):
    def test_answers(self) -> None:
        metrics = Metrics()
        with Gateway(extra=metrics.setting):
            self.assertEqual(metrics.get("/healthz"), (200, "ok\n"))
            self.assertEqual(metrics.get("/healthz", "-I")[0], 200)
            self.assertEqual(metrics.get("/readyz"), (200, "ready\n"))
            self.assertEqual(metrics.get("/")[0], 404)
            self.assertEqual(metrics.get("/metrics/")[0], 404)
            self.assertEqual(metrics.get("/metrics", "-d", "x=1")[0], 405)
            self.assertEqual(metrics.get("/metrics", "-X", "DELETE")[0], 405)
            self.assertEqual(metrics.get("/healthz", "-H", "X: " + "x" * 60000)[0], 431)

    def test_unix_socket(self) -> None:
        with Gateway(extra="http: unix:FOLDER/http.sock\n", user="nobody") as gateway:
            path = gateway.folder / "http.sock"
            result = run("curl", "-sS", "--unix-socket", str(path), "http://gateway/healthz")
            self.assertEqual(result.stdout, "ok\n")
            gateway.stop()
            self.assertFalse(path.exists())

    def test_no_http(self) -> None:
        metrics = Metrics()
        with Gateway():
            self.assertEqual(run("curl", "-sS", f"http://127.0.0.1:{metrics.port}/healthz").returncode, 7)

    def test_port_is_taken(self) -> None:
        metrics = Metrics()
        with socket.create_server(("127.0.0.1", metrics.port)):
            gateway = Gateway(extra=metrics.setting)
            result = run(PROGRAM, "serve", "-c", str(gateway.config))
        self.assertEqual(result.returncode, 73, result.stdout)
        self.assertIn(f"127.0.0.1:{metrics.port}", result.stdout)

    def test_a_new_hub_serves_on(self) -> None:
        metrics = Metrics()
        with Gateway(extra=metrics.setting) as gateway:
            send_mail(gateway)
            metrics.wait_for(1, "gatepost_messages_total")
            os.kill(gateway.hub(), signal.SIGKILL)
            self.assertEqual(metrics.get("/healthz"), (200, "ok\n"))
            wait_until(lambda: metrics.get("/readyz") == (200, "ready\n"), "readiness")
            self.assertEqual(metrics.total("gatepost_messages_total"), 1)
            metrics.wait_for(1, "gatepost_hub_deaths_total")


class Readiness(unittest.TestCase):
    def test_required_service(self) -> None:
        metrics = Metrics()
        with socket_folder() as folder:
            path = str(folder / "all.sock")
            options = "    required: true\n"
            with Gateway(policies={"all": path}, policy_options=options, extra=metrics.setting) as gateway:
                # From the first on: nobody is to be sent where the service has never been.
                self.assertEqual(metrics.get("/readyz"), (503, "worker 0: required policy all is away\n"))
                gateway.wait_for("gateway.unready")
                self.assertEqual(metrics.get("/readyz"), (503, "worker 0: required policy all is away\n"))
                self.assertEqual(metrics.get("/healthz")[0], 200)
                metrics.wait_for(0, "gatepost_ready")
                with service_process(path, ACCEPT_ALL):
                    wait_until(lambda: metrics.get("/readyz") == (200, "ready\n"), "readiness")
                    metrics.wait_for(1, "gatepost_ready")

    def test_worker_away(self) -> None:
        """One that dies is replaced before anybody minds; one that cannot be is a reason."""
        metrics = Metrics()
        with Gateway(extra=metrics.setting, workers=2) as gateway:
            wait_until(lambda: metrics.total("gatepost_worker_processes", 'state="serving"') == 2, "two workers")
            os.kill(gateway.workers()[0], signal.SIGKILL)
            self.assertEqual(metrics.get("/readyz"), (200, "ready\n"))
            gateway.wait_for("gateway.ready", count=3)
            metrics.wait_for(1, "gatepost_worker_deaths_total")
            self.assertEqual(metrics.get("/readyz"), (200, "ready\n"))

    def test_worker_hangs(self) -> None:
        """It has its socket still, and clients wait there in vain."""
        metrics = Metrics()
        with Gateway(extra=metrics.setting) as gateway:
            worker = gateway.worker()
            os.kill(worker, signal.SIGSTOP)
            try:
                wait_until(lambda: metrics.get("/readyz")[0] == 503, "red")
                self.assertRegex(metrics.get("/readyz")[1], r"^worker 0: has accepted no connections for \d+ s\n$")
            finally:
                os.kill(worker, signal.SIGCONT)
            wait_until(lambda: metrics.get("/readyz") == (200, "ready\n"), "green again")


class Numbers(unittest.TestCase):
    def test_promtool(self) -> None:
        with served() as (gateway, metrics, _):
            send_mail(gateway)
            metrics.wait_for(1, "gatepost_messages_total")
            text = metrics.get("/metrics")[1]
            result = subprocess.run([str(promtool()), "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
            self.assertRegex(metrics.get("/metrics", "-o", "/dev/null", "-D", "-")[1], "Content-Type: text/plain; version=0.0.4")
            names = set(re.findall(r"^# TYPE (\S+)", text, re.M))
            manual = (pathlib.Path(__file__).parents[2] / "deploy" / "man" / "gatepost-metrics.7").read_text()
            self.assertEqual(names, set(re.findall(r"^\.It Ic (\S+)", manual, re.M)))

    def test_known_load(self) -> None:
        """Three clients, each two messages and one recipient that is refused."""
        with served(workers=2) as (gateway, metrics, _):
            for _number in range(3):
                with gateway.connect() as client:
                    client.start("EHLO client", *MAIL, "MAIL FROM:<a@example.org>")
                    self.assertRegex(client.say("RCPT TO:<no@example.com>"), "^550 ")
                    self.assertEqual([client.say(line)[:1] for line in MAIL[1:]], ["2", "3", "2"])
                    client.say("NONSENSE")
                    client.say("QUIT")
                    self.assertEqual(client.reply(), "")
            gateway.wait_for("disconnect", count=3)
            metrics.wait_for(6, "gatepost_messages_total")
            metrics.wait_until_idle(gateway)
            for value, name, *labels in (
                (3, "gatepost_connections_total"),
                (6 * len("Subject: x\r\n\r\nhi\r\n"), "gatepost_message_bytes_total"),
                (3, "gatepost_replies_total", 'command="GREETING"', 'class="2yz"'),
                (3, "gatepost_replies_total", 'command="EHLO"'),
                (6, "gatepost_replies_total", 'command="MAIL"', 'class="2yz"'),
                (6, "gatepost_replies_total", 'command="RCPT"', 'class="2yz"'),
                (3, "gatepost_replies_total", 'command="RCPT"', 'class="5yz"'),
                (6, "gatepost_replies_total", 'command="DATA"', 'class="3yz"'),
                (6, "gatepost_replies_total", 'command="MESSAGE"', 'class="2yz"'),
                (3, "gatepost_replies_total", 'command="UNKNOWN"', 'class="5yz"'),
                (3, "gatepost_replies_total", 'command="QUIT"', 'class="2yz"'),
                (6, "gatepost_policy_verdicts_total", 'policy="judge"', 'hook="rcpt"', 'verdict="accept"'),
                (3, "gatepost_policy_verdicts_total", 'policy="judge"', 'hook="rcpt"', 'verdict="reject"'),
                (9, "gatepost_policy_latency_seconds_count", 'policy="judge"', 'hook="rcpt"'),
                (6, "gatepost_policy_latency_seconds_count", 'policy="judge"', 'hook="message"'),
                (0, "gatepost_policy_failures_total"),
                (2, "gatepost_policy_connections"),
                (6, "gatepost_delivery_results_total", 'delivery="place"', 'class="2yz"'),
                (6, "gatepost_delivery_latency_seconds_count", 'delivery="place"'),
                (0, "gatepost_events_lost_total"),
                (1, "gatepost_event_subscribers"),
            ):  # fmt: skip
                self.assertEqual(metrics.total(str(name), *map(str, labels)), value, (name, labels))
            events = sum(len(gateway.events(name)) for name in {event["event"] for event in list(gateway._events)} - {"gateway.start"})
            self.assertEqual(metrics.total("gatepost_events_total"), events)

    def test_octets_and_tls(self) -> None:
        with served() as (gateway, metrics, _):
            with gateway.connect() as client:
                banner = client.reply()
                said = "NOOP\r\n" * 10
                client.send(said.encode())
                replies = [client.reply() for _ in range(10)]
            gateway.wait_for("disconnect")
            metrics.wait_for(len(said), "gatepost_received_bytes_total")
            self.assertEqual(metrics.total("gatepost_sent_bytes_total"), sum(len(reply) + 2 for reply in [banner, *replies]))
            for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
                context.minimum_version = context.maximum_version = version
                session = quit_over_tls(gateway, context, None)
                quit_over_tls(gateway, context, session)
            quit_over_tls(gateway, context, None)
            with socket.create_connection(("127.0.0.1", gateway.tls_port)) as plain:
                plain.sendall(b"EHLO client\r\n")
                plain.recv(1000)
            metrics.wait_for(2, "gatepost_tls_handshakes_total", 'version="TLSv1.2"')
            metrics.wait_for(3, "gatepost_tls_handshakes_total", 'version="TLSv1.3"')
            metrics.wait_for(2, "gatepost_tls_resumptions_total")
            metrics.wait_for(1, "gatepost_tls_handshake_failures_total")
            metrics.wait_until_idle(gateway)

    def test_sessions_of_tls_are_taken_up_by_any_worker(self) -> None:
        with served(workers=2) as (gateway, metrics, _):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.maximum_version = ssl.TLSVersion.TLSv1_2  # whose tickets can be shown again
            session = quit_over_tls(gateway, context, None)

            def both() -> bool:
                quit_over_tls(gateway, context, session)
                return all(metrics.total("gatepost_tls_resumptions_total", f'worker="{number}"') for number in (0, 1))

            wait_until(both, "both workers to take it up")

    def test_counters_outlive_a_worker(self) -> None:
        with served() as (gateway, metrics, _):
            for _number in range(3):
                send_mail(gateway)
            metrics.wait_for(3, "gatepost_messages_total")
            with gateway.connect() as waiting:
                waiting.start("EHLO client")
                metrics.wait_for(1, "gatepost_sessions", 'state="command"')
                before = metrics.samples()
                os.kill(gateway.worker(), signal.SIGKILL)
                gateway.wait_for("gateway.ready", count=2)
                send_mail(gateway)
                metrics.wait_for(4, "gatepost_messages_total")
            after = metrics.samples()
            kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)", metrics.get("/metrics")[1], re.M))
            fell = [name for name, value in before.items() if kinds.get(name.partition("{")[0]) != "gauge" and after[name] < value]
            self.assertEqual(fell, [])
            metrics.wait_until_idle(gateway)

    def test_gauges_after_faults(self) -> None:
        """Clients that leave anywhere, a service that dies with questions: in the end nothing is counted as open."""
        stop = threading.Event()

        def leave(gateway: Gateway, number: int) -> None:
            turns = 0
            while not stop.is_set():
                turns += 1
                with contextlib.suppress(OSError, AssertionError), gateway.connect() as client:
                    client.start()
                    lines = ["EHLO client", *MAIL]
                    if (turns + number) % 5 == 0:
                        lines[2] = "RCPT TO:<slow@example.com>"
                    for line in lines[: (turns + number) % len(lines)]:
                        client.say(line) if not line.startswith("RCPT TO:<slow") else client.send(line.encode() + b"\r\n")
                    if turns % 2:
                        client.reset()

        metrics = Metrics()
        with socket_folder() as folder:
            path = str(folder / "judge.sock")
            options = "    timeout: 1s\n"
            with Gateway(policies={"judge": path}, policy_options=options, extra=metrics.setting, workers=2) as gateway:
                threads = [threading.Thread(target=leave, args=(gateway, number), daemon=True) for number in range(8)]
                for thread in threads:
                    thread.start()
                for _life in range(3):
                    with service_process(path, JUDGE):
                        before = gateway.events("disconnect")
                        gateway.wait_for("disconnect", count=len(before) + 40)
                stop.set()
                for thread in threads:
                    thread.join()
                metrics.wait_until_idle(gateway)
                self.assertGreater(metrics.total("gatepost_policy_failures_total"), 0)
                self.assertGreater(metrics.total("gatepost_connections_total"), 100)


class Hostile(unittest.TestCase):
    def test_many_clients(self) -> None:
        """Two hundred that send garbage, or nothing, or do not read: mail and events go on, and the pages are served."""
        metrics = Metrics()
        with Gateway(extra=metrics.setting, limits="connections_per_client: 1000") as gateway:
            stop = threading.Event()

            def disturb(number: int) -> None:
                head = b"GET /metrics HTTP/1.1\r\n"
                says = (b"", b"\0\xff" * 500, head, head + b"Host: x\r\n\r\n" * 20, b"POST / HTTP/1.1\r\nX: " + b"x" * 9000)
                while not stop.is_set():
                    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", metrics.port), 10) as client:
                        client.sendall(says[number % len(says)])
                        stop.wait(0.5)

            threads = [threading.Thread(target=disturb, args=(number,), daemon=True) for number in range(200)]
            with Load(gateway, 4):
                for thread in threads:
                    thread.start()
                for _turn in range(10):
                    self.assertEqual(metrics.get("/healthz", "--retry", "5", "--retry-all-errors")[0], 200)
                    sent = len(gateway.events("message"))
                    gateway.wait_for("message", count=sent + 5)
                stop.set()
            for thread in threads:
                thread.join()
            self.assertEqual(gateway.events("GAP"), [])
            self.assertEqual(metrics.get("/readyz"), (200, "ready\n"))


if __name__ == "__main__":
    unittest.main()
