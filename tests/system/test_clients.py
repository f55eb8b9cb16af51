"""Real mail programs deliver through gatepost: swaks, smtplib, Postfix's smtp-source."""

import pathlib
import re
import smtplib
import ssl
import subprocess

from gateway import ACCEPT_ALL, Gateway, service_process, socket_folder, unittest


def swaks(port: int, *options: str) -> "subprocess.CompletedProcess[str]":
    command = ["swaks", "--server", f"127.0.0.1:{port}", "--helo", "client.example.net", "--timeout", "30", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def insecure() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Clients(unittest.TestCase):
    def test_swaks(self) -> None:
        with Gateway() as gateway:
            for port, options in ((gateway.port, []), (gateway.port, ["--tls"]), (gateway.tls_port, ["--tls-on-connect"])):
                result = swaks(port, *options, "--from", "a@example.org", "--to", "b@example.com,c@example.com")
                self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
                self.assertRegex(result.stdout, r"250 2\.0\.0 OK id=[0-9A-Z]{20}")
            gateway.wait_for("delivery", 3, code=250)
            stored = [path.read_text() for path in gateway.stored()]
            self.assertEqual(len(stored), 3)
            self.assertEqual(sum("with ESMTPS id" in text for text in stored), 2)
            self.assertEqual(sum("Delivered-To: c@example.com" in text for text in stored), 3)
            refused = swaks(gateway.port, "--from", "a@example.org", "--to", "b@relay.example")
            self.assertIn("550 5.7.1", refused.stdout)

    def test_smtplib(self) -> None:
        with Gateway() as gateway:
            with smtplib.SMTP("127.0.0.1", gateway.port, timeout=30) as client:
                client.starttls(context=insecure())
                client.ehlo("client.example.net")
                self.assertTrue(client.has_extn("8bitmime"))
                refused = client.sendmail("a@example.org", ["b@example.com", "x@relay.example"], b"Subject: one\r\n\r\nhi\r\n")
                self.assertEqual(refused["x@relay.example"][0], 550)
                client.sendmail("", ["postmaster"], b"Subject: two\r\n\r\n.dots\r\n..\r\n")
            with smtplib.SMTP_SSL("127.0.0.1", gateway.tls_port, context=insecure(), timeout=30) as client:
                client.sendmail("a@example.org", ["b@example.com"], b"Subject: three\r\n\r\nhi\r\n")
            contents = sorted(path.read_bytes() for path in gateway.stored())
            self.assertEqual(len(contents), 3)
            self.assertTrue(any(content.endswith(b"Subject: two\r\n\r\n.dots\r\n..\r\n") for content in contents))
            self.assertEqual(len(gateway.wait_for("disconnect", 2, reason="quit")), 2)

    def send_two_thousand(self, gateway: Gateway, *options: str) -> None:
        command = ["smtp-source", "-s", "50", "-m", "2000", "-l", "4096", "-N", "-f", "a@example.org", "-t", "b@example.com"]
        subprocess.run([*command, *options, f"127.0.0.1:{gateway.port}"], check=True, timeout=300)
        deliveries = gateway.wait_for("delivery", 2000)
        self.assertEqual({event["code"] for event in deliveries}, {250})
        transactions = {event["transaction"] for event in deliveries}
        self.assertEqual(len(transactions), 2000)
        self.assertEqual(len(gateway.wait_for("message", 2000, code=250)), 2000)
        # What was stored is what was answered with 250: each transaction once, none else.
        stored = [self.transaction_of(path) for path in gateway.stored()]
        self.assertEqual(len(stored), 2000)
        self.assertEqual(set(stored), transactions)
        # -N numbers the recipients: each message that was sent is there.
        sent = {f"{number}b@example.com" for number in range(1, 2001)}
        self.assertEqual({self.recipient_of(path) for path in gateway.stored()}, sent)
        self.assertEqual(list((gateway.folder / "mail" / "tmp").iterdir()), [])
        self.assertEqual(list((gateway.folder / "spool").iterdir()), [])

    def transaction_of(self, path: pathlib.Path) -> str:
        match = re.search(rb"\(gatepost\) with SMTP id ([0-9A-Z]{20})", path.read_bytes())
        assert match, path
        return match.group(1).decode()

    def recipient_of(self, path: pathlib.Path) -> str:
        match = re.search(rb"^Delivered-To: (\S+)\r$", path.read_bytes(), re.M)
        assert match, path
        return match.group(1).decode()

    def test_smtp_source_all_hooks(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/all.sock", ACCEPT_ALL):
            # The sanitizers slow everything down; the service's answers are not what is tested here.
            with Gateway(policies={"all": f"{folder}/all.sock"}, policy_options="    timeout: 120s\n") as gateway:
                self.send_two_thousand(gateway)
                for hook in ("connect", "ehlo", "mail", "rcpt", "data", "message"):
                    self.assertGreaterEqual(len(gateway.wait_for("policy.decision", 2000, hook=hook)), 2000)
                self.assertEqual(gateway.events("policy.failure") + gateway.events("GAP"), [])
                gateway.wait_for("disconnect", 2000)
                self.assertEqual(len(gateway.events("connect")), len(gateway.events("disconnect")))

    def test_smtp_source_reused_connections_two_workers(self) -> None:
        with Gateway(workers=2) as gateway:
            self.send_two_thousand(gateway, "-d")


if __name__ == "__main__":
    unittest.main()
