"""testssl.sh finds nothing above LOW: STARTTLS and implicit TLS, with an RSA and an EC certificate of a CA of the test's own."""

import json
import pathlib
import re
import subprocess
from typing import Dict, List

from gateway import Gateway, unittest

NAME = "mx.example.com"
HARMLESS = {"OK", "INFO", "LOW"}
# What is said about the tool, or about a certificate that no public CA has issued. All else counts.
EXPECTED = {
    "engine_problem": "Debian's OpenSSL has no GOST engine for testssl.sh to use",
    "service": "with implicit TLS it looks for HTTP, finds none and skips the checks of HTTP",
    "sessionresumption_ticket": "its client closes before the ticket of TLS 1.3 comes; test_tls_tickets.c resumes",
    "cert_revocation": "a CA of two minutes' life has neither a CRL nor an OCSP responder",
}
CHECKS = ["-p", "-s", "-f", "-P", "-S", "-U"]
"""Protocols, cipher categories, forward secrecy, preferences, certificate and extensions, every known vulnerability."""


KINDS = {
    "ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    "rsa": ["-newkey", "rsa:2048"],
}


def run(*command: str) -> None:
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


class Authority:
    """A CA in the folder of a gateway, which then shows certificates signed by it."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        self.certificate, self.key = folder / "ca.pem", folder / "ca.key"
        run("openssl", "req", "-x509", *KINDS["ec"], "-nodes", "-days", "200", "-subj", "/O=Test/CN=Test CA",
            "-keyout", str(self.key), "-out", str(self.certificate))  # fmt: skip

    def certify(self, kind: str) -> str:
        """A pair, as an item of tls.certificates."""
        certificate, key, request, extensions = (str(self.folder / f"{kind}.{part}") for part in ("pem", "key", "csr", "ext"))
        pathlib.Path(extensions).write_text(
            f"subjectAltName=DNS:{NAME}\nbasicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth\n"
        )
        run("openssl", "req", *KINDS[kind], "-nodes", "-subj", f"/CN={NAME}", "-keyout", key, "-out", request)
        run("openssl", "x509", "-req", "-in", request, "-CA", str(self.certificate), "-CAkey", str(self.key), "-CAcreateserial",
            "-days", "200", "-extfile", extensions, "-out", certificate)  # fmt: skip
        return f"    - {{certificate: {certificate}, key: {key}}}\n"


class Testssl(unittest.TestCase):
    def findings(self, gateway: Gateway, *options: str) -> List[Dict[str, str]]:
        out = gateway.folder / "testssl.json"
        # -n none and --ip: no DNS. --add-ca: the chain of trust is checked too.
        command = ["testssl", *CHECKS, "-n", "none", "--warnings", "off", "--color", "0", "--add-ca", str(gateway.folder / "ca.pem")]
        result = subprocess.run(
            [*command, "--ip", "127.0.0.1", "--jsonfile", str(out), *options],
            capture_output=True, text=True, timeout=500, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.assertTrue(out.exists(), result.stdout + result.stderr)
        return json.loads(out.read_text())

    def check(self, port: str, *options: str) -> None:
        gateway = Gateway(limits="connections_per_client: 1000")
        authority = Authority(gateway.folder)
        pairs = authority.certify("ec") + authority.certify("rsa")
        text, replaced = re.subn(r"    - {certificate: .*\n", pairs, gateway.config.read_text())
        self.assertEqual(replaced, 1)
        gateway.config.write_text(text)
        with gateway:
            findings = self.findings(gateway, *options, f"{NAME}:{getattr(gateway, port)}")
        by_id = {finding["id"]: finding for finding in findings}
        # It has looked, and at this server with both its certificates.
        self.assertIn("offered", by_id["TLS1_3"]["finding"])
        self.assertIn("offered", by_id["TLS1_2"]["finding"])
        sizes = {finding["finding"] for finding in findings if finding["id"].startswith("cert_keySize")}
        self.assertTrue(any("RSA 2048" in size for size in sizes) and any("EC 256" in size for size in sizes), sizes)
        for checked in ("heartbleed", "CCS", "ROBOT", "secure_renego", "CRIME_TLS", "LUCKY13", "cipherlist_AVERAGE"):
            self.assertIn(checked, by_id)
        bad = [
            f"{finding['severity']} {finding['id']}: {finding['finding']}" for finding in findings
            if finding["severity"] not in HARMLESS and finding["id"].partition(" ")[0] not in EXPECTED
        ]  # fmt: skip
        self.assertEqual(bad, [])

    def test_starttls(self) -> None:
        self.check("port", "--starttls", "smtp")

    def test_implicit(self) -> None:
        self.check("tls_port")


if __name__ == "__main__":
    unittest.main()
