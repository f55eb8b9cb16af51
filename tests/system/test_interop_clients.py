"""Programs that people send mail with: swaks, msmtp, nodemailer, smtplib, curl, openssl. Each real, each as its manual says."""

import base64
import contextlib
import email
import json
import os
import pathlib
import smtplib
import ssl
import subprocess
import tempfile
from typing import Any, Iterator, List

from gateway import Gateway, service_process, socket_folder, unittest
from programs import must_run, nodemailer, run

USER, PASSWORD = "alice@example.com", "correct horse"

# Knows one user, and notes what it was asked.
LOGIN = """
import json
service = gatepost.Service("login")
def note(request):
    with open(SEEN, "a") as file:
        file.write(json.dumps({"hook": request.hook, "args": request.args, "context": request.context}) + "\\n")
@service.auth
def auth(request):
    note(request)
    if (request.args["user"], request.args.get("password")) == ("alice@example.com", "correct horse"):
        return gatepost.accept()
    return gatepost.reject("Wrong user or password")
@service.mail
def mail(request):
    note(request)
    return gatepost.accept()
"""


class Submission(Gateway):
    """A gateway that users log in to; `seen` is what its service was asked."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(policies={"login": f"{folder}/login.sock"}, listener="    auth: true\n")
        self.notes = folder / "seen"

    def seen(self, hook: str) -> List[Any]:
        notes = [json.loads(line) for line in self.notes.read_text().splitlines()] if self.notes.exists() else []
        return [note for note in notes if note["hook"] == hook]

    def __exit__(self, kind: Any, *unused: Any) -> None:
        told = self.log_text() + json.dumps(self._events)
        super().__exit__(kind, *unused)
        secrets = [PASSWORD, "wrong horse", *(base64.b64encode(word.encode()).decode()[:12] for word in (PASSWORD, "wrong horse"))]
        leaked = [secret for secret in secrets if secret in told]
        if kind is None and leaked:
            raise AssertionError(f"in the log or in an event: {leaked}")


@contextlib.contextmanager
def submission() -> Iterator[Submission]:
    with socket_folder() as folder, service_process(f"{folder}/login.sock", f"SEEN = {str(folder / 'seen')!r}\n" + LOGIN):
        with Submission(folder) as gateway:
            yield gateway


def trusting(gateway: Gateway) -> ssl.SSLContext:
    """Verifies the gateway's own certificate. smtplib asks for the name it connected to, which is an address here."""
    context = ssl.create_default_context(cafile=str(gateway.folder / "cert.pem"))
    context.check_hostname = False
    return context


class Swaks(unittest.TestCase):
    def swaks(self, port: int, *options: str) -> str:
        envelope = ["--from", "a@example.org", "--to", "b@example.com"]
        result = run("swaks", "--server", f"127.0.0.1:{port}", "--helo", "client.example.net", "--timeout", "30", *envelope, *options)
        self.assertEqual(result.returncode, 0, result.stdout)
        self.assertRegex(result.stdout, r"250 2\.0\.0 OK id=[0-9A-Z]{20}")
        return result.stdout

    def test_pipelining(self) -> None:
        with Gateway() as gateway:
            for options in ([], ["--tls"]):
                output = self.swaks(gateway.port, "--pipeline", "--to", "b@example.com,c@example.com,d@relay.example", *options)
                self.assertIn("550 5.7.1", output)
            for event in gateway.wait_for("data", 2):
                self.assertEqual((event["code"], event["recipients"]), (354, 2))
            self.assertEqual(len(gateway.stored()), 2)

    def test_auth(self) -> None:
        with submission() as gateway:
            for mechanism in ("PLAIN", "LOGIN"):
                for port, tls in ((gateway.port, "--tls"), (gateway.tls_port, "--tls-on-connect")):
                    login = ["--auth", mechanism, "--auth-user", USER, "--auth-password", PASSWORD]
                    output = self.swaks(port, tls, *login, "--to", "x@anywhere.example")
                    self.assertIn("235 2.7.0", output)
            asked = [(note["args"]["mechanism"], note["args"]["user"], note["args"]["password"]) for note in gateway.seen("auth")]
            self.assertEqual(asked, [(mechanism, USER, PASSWORD) for mechanism in ("PLAIN", "PLAIN", "LOGIN", "LOGIN")])
            self.assertEqual([note["context"]["auth"]["user"] for note in gateway.seen("mail")], [USER] * 4)
            self.assertEqual(len(gateway.stored()), 4)
            self.assertTrue(all("with ESMTPSA id" in path.read_text() for path in gateway.stored()))

    def test_auth_refused(self) -> None:
        with submission() as gateway:
            for mechanism in ("PLAIN", "LOGIN"):
                login = ["--auth", mechanism, "--auth-user", USER, "--auth-password", "wrong horse"]
                result = run("swaks", "--server", f"127.0.0.1:{gateway.port}", "--tls", *login, "--to", "b@example.com")
                self.assertEqual(result.returncode, 28, result.stdout)
                self.assertIn("535 5.7.8", result.stdout)
                # Not offered in clear: swaks gives up before it says the password.
                result = run("swaks", "--server", f"127.0.0.1:{gateway.port}", *login, "--to", "b@example.com")
                self.assertEqual(result.returncode, 28, result.stdout)
                self.assertNotIn("AUTH ", result.stdout)
            gateway.wait_for("auth", 2, code=535)

    def test_proxy(self) -> None:
        with Gateway(listener="    proxy_protocol: [127.0.0.0/8]\n") as gateway:
            cases = (
                ("1", "TCP4", "198.51.100.7", "203.0.113.1"), ("1", "TCP6", "2001:db8::7", "2001:db8::1"),
                ("2", "AF_INET", "198.51.100.7", "203.0.113.1"), ("2", "AF_INET6", "2001:db8::7", "2001:db8::1"),
            )  # fmt: skip
            for number, (version, family, source, dest) in enumerate(cases, 1):
                options = ["--proxy-version", version, "--proxy-family", family, "--proxy-source", source, "--proxy-source-port", "4001"]
                options += ["--proxy-dest", dest, "--proxy-dest-port", "25"]
                options += ["--proxy-protocol", "STREAM", "--proxy-command", "PROXY"] if version == "2" else []
                self.swaks(gateway.port, *options, "--tls")
                self.assertEqual(len(gateway.wait_for("connect", (number + 1) // 2, ip=source, port=4001)), (number + 1) // 2)
            for path in gateway.stored():
                self.assertRegex(path.read_text(), r"\[(198\.51\.100\.7|IPv6:2001:db8::7)\]")


class Msmtp(unittest.TestCase):
    def msmtp(self, gateway: Gateway, *options: str, password: str = PASSWORD) -> "subprocess.CompletedProcess[str]":
        with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
            (config := pathlib.Path(folder, "msmtprc")).write_text("")
            config.chmod(0o600)
            tls = ["--tls=on", f"--tls-trust-file={gateway.folder}/cert.pem", "--tls-host-override=mx.example.com"]
            command = ["msmtp", f"--file={config}", "--host=127.0.0.1", "--from=a@example.org", *tls, "--timeout=30"]
            command += ["--auth=on", f"--user={USER}", f"--passwordeval=printf %s '{password}'"] if "auth" in options else []
            command += [option for option in options if option != "auth"]
            return run(*command, "b@example.com", "c@example.com", input="Subject: one\n\n.dots\n..\n")

    def test_starttls_and_implicit(self) -> None:
        with Gateway() as gateway:
            for options in ([f"--port={gateway.port}"], [f"--port={gateway.tls_port}", "--tls-starttls=off"]):
                result = self.msmtp(gateway, *options)
                self.assertEqual(result.returncode, 0, result.stdout)
            self.assertEqual(len(gateway.wait_for("secure", 2)), 2)
            for path in gateway.stored():
                self.assertTrue(path.read_bytes().endswith(b"Subject: one\r\n\r\n.dots\r\n..\r\n"))
            self.assertEqual(len(gateway.stored()), 2)

    def test_auth(self) -> None:
        with submission() as gateway:
            for method in ("plain", "login"):
                result = self.msmtp(gateway, "auth", f"--auth={method}", f"--port={gateway.port}")
                self.assertEqual(result.returncode, 0, result.stdout)
            result = self.msmtp(gateway, "auth", f"--port={gateway.port}", password="wrong horse")
            self.assertEqual(result.returncode, 77, result.stdout)
            self.assertEqual([note["args"]["mechanism"] for note in gateway.seen("auth")], ["PLAIN", "LOGIN", "PLAIN"])
            self.assertEqual(len(gateway.stored()), 2)


NODE = """
const nodemailer = require("nodemailer"), fs = require("fs"), settings = JSON.parse(process.argv[2]);
const transport = nodemailer.createTransport({
	host: "127.0.0.1", port: settings.port, secure: settings.secure, requireTLS: !settings.secure, auth: settings.auth,
	authMethod: settings.method, tls: {servername: "mx.example.com", ca: [fs.readFileSync(settings.ca)]}, pool: settings.pool, logger: false,
});
async function main() {
	for (const message of settings.messages) {
		if (message.big)
			message.attachments = [{filename: "big.bin", content: Buffer.alloc(message.big, "gatepost")}];
		const info = await transport.sendMail(message);
		console.log(info.response);
	}
	transport.close();
}
main().catch((error) => { console.log("ERROR", error.responseCode, error.response || error.message); process.exit(1); });
"""


class Nodemailer(unittest.TestCase):
    def send(self, gateway: Gateway, *messages: Any, **settings: Any) -> "subprocess.CompletedProcess[str]":
        settings = {"port": gateway.port, "secure": False, "ca": f"{gateway.folder}/cert.pem", "messages": messages, **settings}
        environment = dict(os.environ, NODE_PATH=str(nodemailer()))
        return run("node", "-e", NODE, "unused", json.dumps(settings), env=environment)

    def test_starttls_and_large_attachment(self) -> None:
        with Gateway() as gateway:
            message = {"from": "a@example.org", "to": ["b@example.com", "c@example.com"], "subject": "Grüße", "text": "hi"}
            for settings in ({}, {"port": gateway.tls_port, "secure": True}, {"pool": True}):
                result = self.send(gateway, message, dict(message, big=10_000_000), **settings)
                self.assertEqual(result.returncode, 0, result.stdout)
                self.assertEqual(result.stdout.count("250 2.0.0 OK id="), 2)
            sizes = sorted(path.stat().st_size for path in gateway.stored())
            self.assertEqual([size > 13_000_000 for size in sizes], [False] * 3 + [True] * 3)
            # The attachment came whole: what is decoded from the last file is what was sent.
            big = max(gateway.stored(), key=lambda path: path.stat().st_size).read_bytes()
            parts = [part for part in email.message_from_bytes(big).walk() if part.get_filename() == "big.bin"]
            self.assertTrue(parts[0].get_payload(decode=True) == b"gatepost" * 1_250_000)

    def test_auth(self) -> None:
        with submission() as gateway:
            message = {"from": USER, "to": "x@anywhere.example", "text": "hi"}
            for method in ("LOGIN", "PLAIN"):
                result = self.send(gateway, message, auth={"user": USER, "pass": PASSWORD}, method=method)
                self.assertEqual(result.returncode, 0, result.stdout)
            result = self.send(gateway, message, auth={"user": USER, "pass": "wrong horse"}, method="LOGIN")
            self.assertIn("ERROR 535 535 5.7.8", result.stdout)
            self.assertEqual([note["args"]["mechanism"] for note in gateway.seen("auth")], ["LOGIN", "PLAIN", "LOGIN"])

    def test_smtputf8(self) -> None:
        with Gateway() as gateway:
            result = self.send(gateway, {"from": "jürgen@example.org", "to": "用户@example.com", "text": "hi"})
            self.assertEqual(result.returncode, 0, result.stdout)
            mail = gateway.wait_for("mail", 1, code=250)[0]
            self.assertEqual((mail["address"], gateway.wait_for("rcpt")[0]["address"]), ("jürgen@example.org", "用户@example.com"))
            self.assertIn("with UTF8SMTPS id", gateway.stored()[0].read_text())


class Smtplib(unittest.TestCase):
    def test_auth(self) -> None:
        with submission() as gateway:
            for mechanism in ("auth_plain", "auth_login"):
                with smtplib.SMTP("127.0.0.1", gateway.port, timeout=30) as client:
                    with self.assertRaises(smtplib.SMTPNotSupportedError):
                        client.login(USER, PASSWORD)
                    client.starttls(context=trusting(gateway))
                    client.ehlo("client.example.net")
                    client.user, client.password = USER, "wrong horse"
                    name = mechanism.partition("_")[2].upper()
                    with self.assertRaises(smtplib.SMTPAuthenticationError):
                        client.auth(name, getattr(client, mechanism))
                    client.password = PASSWORD
                    self.assertEqual(client.auth(name, getattr(client, mechanism))[0], 235)
                    client.sendmail(USER, ["x@anywhere.example"], b"Subject: one\r\n\r\nhi\r\n")
            self.assertEqual(len(gateway.stored()), 2)

    def test_smtputf8(self) -> None:
        with Gateway() as gateway, smtplib.SMTP("127.0.0.1", gateway.port, timeout=30) as client:
            client.ehlo("client.example.net")
            options = ["SMTPUTF8", "BODY=8BITMIME"]
            client.sendmail("jürgen@example.org", ["用户@example.com"], "Subject: Grüße\r\n\r\nhi\r\n".encode(), options)
            self.assertEqual(gateway.wait_for("rcpt", 1)[0]["address"], "用户@example.com")
            text = gateway.stored()[0].read_text()
            self.assertIn("with UTF8SMTP id", text)
            self.assertIn("Subject: Grüße", text)


class OthersOfTls(unittest.TestCase):
    def test_openssl(self) -> None:
        with Gateway() as gateway:
            for port, options in ((gateway.port, ["-starttls", "smtp"]), (gateway.tls_port, [])):
                for version in ("-tls1_2", "-tls1_3"):
                    trust = ["-CAfile", f"{gateway.folder}/cert.pem", "-verify_hostname", "mx.example.com", "-verify_return_error"]
                    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-crlf", "-ign_eof", version, *trust, *options]
                    output = must_run(*command, input="EHLO client.example.net\nQUIT\n")
                    self.assertIn("Verification: OK", output)
                    self.assertIn("subject=CN = mx.example.com", output)
                    self.assertIn("250 ", output)
                    self.assertIn("221 2.0.0", output)
                refused = run("openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_1", *options, input="QUIT\n")
                self.assertNotEqual(refused.returncode, 0, refused.stdout)
            self.assertEqual({event["version"] for event in gateway.wait_for("secure", 4)}, {"TLSv1.2", "TLSv1.3"})
            gateway.wait_for("disconnect", 4, reason="quit")
            gateway.wait_for("disconnect", 2, reason="tls")

    def test_curl(self) -> None:
        with Gateway() as gateway:
            (message := gateway.folder / "message").write_bytes(b"Subject: curl\r\n\r\n.dots\r\n.\r\nmore\r\n")
            for scheme, port, options in (("smtp", gateway.port, ["--ssl-reqd"]), ("smtps", gateway.tls_port, [])):
                names = ["--resolve", f"mx.example.com:{port}:127.0.0.1", "--cacert", f"{gateway.folder}/cert.pem"]
                envelope = ["--mail-from", "a@example.org", "--mail-rcpt", "b@example.com", "--mail-rcpt", "c@example.com"]
                must_run("curl", "-sS", f"{scheme}://mx.example.com:{port}", *names, *envelope, *options, "--upload-file", str(message))
            self.assertEqual(len(gateway.stored()), 2)
            self.assertTrue(all(path.read_bytes().endswith(message.read_bytes()) for path in gateway.stored()))


if __name__ == "__main__":
    unittest.main()
