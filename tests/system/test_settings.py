"""Settings of policies in the file, as the running program has them."""

import os
import pathlib
import re
import shutil
import socket
import subprocess
from typing import Tuple

from gateway import PATIENCE, PROGRAM, Gateway, service_process, socket_folder, unittest

NEEDS_NAME = """
service = gatepost.Service("names")
@service.mail(need=["client.name"])
def mail(request): return gatepost.accept()
"""


class Facts(unittest.TestCase):
    """A service is told what the listeners that ask it can never tell."""

    def test_no_listener_looks_names_up(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", NEEDS_NAME):
            with Gateway(policies={"p": f"{folder}/p.sock"}) as gateway:
                gateway.wait_for("policy.service", state="refused")
                self.assertIn("client.name", gateway.log_text())
                self.assertEqual(gateway.events("policy.service", state="ready"), [])

    def test_a_trusted_peer_says_the_name(self) -> None:
        with socket_folder() as folder, service_process(f"{folder}/p.sock", NEEDS_NAME):
            with Gateway(policies={"p": f"{folder}/p.sock"}, listener="    xclient: [127.0.0.1]\n") as gateway:
                gateway.wait_for("policy.service", state="ready")
                with gateway.connect() as client:
                    client.start("EHLO client")
                    self.assertEqual(client.say("MAIL FROM:<a@example.org>")[:3], "250")


def serve(text: str, folder: pathlib.Path) -> Tuple[int, str]:
    """What the program says of a file with which it cannot serve: the exit code and its errors."""
    file = folder / "gatepost.yaml"
    file.write_text(text)
    process = subprocess.run([PROGRAM, "serve", "-c", str(file)], capture_output=True, text=True, timeout=PATIENCE)
    errors = [line.split(" error: ", 1)[-1] for line in process.stderr.splitlines() if " error: " in line or process.returncode == 78]
    return process.returncode, "\n".join(errors).replace(str(file), "FILE").replace(str(folder), "FOLDER")


class Unusable(unittest.TestCase):
    """What shows only when a setting is used is said like any other fault, and what to do about it."""

    def setUp(self) -> None:
        gateway = Gateway()
        self.addCleanup(shutil.rmtree, gateway.folder)
        self.folder, self.port = gateway.folder, gateway.port
        self.good = gateway.config.read_text()

    def expect(self, text: str, setting: str, why: str) -> None:
        code, said = serve(text, self.folder)
        line = re.escape(setting.rsplit(".", 1)[-1])
        self.assertRegex(said, rf"\AFILE:\d+: {re.escape(setting)}: {why}\Z")
        self.assertEqual(code, 73)
        number = int(said.split(":")[1])
        self.assertRegex(text.splitlines()[number - 1], rf"\b{line}: ")
        self.assertEqual(list((self.folder / "run").glob("*.sock")), [])

    def test_an_address_that_is_taken(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            address = f"127.0.0.1:{other.getsockname()[1]}"
            taken = rf"cannot listen on {address}: Address already in use; stop what listens there \(ss -ltnp names it\) or take another address"
            self.expect(self.good + f"http: '{address}'\n", "http", taken)
            self.expect(self.good.replace(f"127.0.0.1:{self.port}", address), "listeners[0].address", taken)

    def test_an_address_that_cannot_be_had(self) -> None:
        for address, why in (
            ("192.0.2.1:25", r"Cannot assign requested address; this machine has no such address \(ip addr shows those it has\)"),
            (f"unix:{self.folder}/none/smtp.sock", "No such file or directory; make the directory first"),
            (f"unix:{self.folder}/cert.pem", "there is a file of that name that is no socket; remove it"),
        ):
            with self.subTest(address):
                said = re.escape(address.replace(str(self.folder), "FOLDER"))
                self.expect(self.good.replace(f"127.0.0.1:{self.port}", address), "listeners[0].address", f"cannot listen on {said}: {why}")

    def test_directories(self) -> None:
        plain = f"{self.folder}/cert.pem"
        for setting, was in (("runtime_dir", "run"), ("spool_dir", "spool")):
            text = self.good.replace(f"{setting}: {self.folder}/{was}", f"{setting}: {plain}")
            self.expect(text, setting, "FOLDER/cert.pem: cannot use the directory: Not a directory; remove what is there, or name another")

    def test_a_runtime_directory_that_is_in_use(self) -> None:
        with Gateway() as other:
            text = self.good.replace(f"runtime_dir: {self.folder}/run", f"runtime_dir: {other.folder}/run")
            sock = re.escape(f"{other.folder}/run/events.sock")
            self.expect(text, "runtime_dir", f"cannot listen on unix:{sock}: another process is listening there; stop it or take another path")
            self.assertTrue(other.events_socket.exists())

    def test_the_log(self) -> None:
        self.expect(self.good + f"log:\n  file: {self.folder}/none/log\n", "log.file", "FOLDER/none/log: No such file or directory; make the directory first")

    @unittest.skipUnless(os.geteuid() == 0, "only root can change to another account")
    def test_a_maildir_of_another_account(self) -> None:
        os.chmod(self.folder, 0o755)
        text = self.good.replace("user: root", "user: nobody")
        why = r"FOLDER/mail: Permission denied; the account to which gatepost changes \(user\) must be able to write there"
        self.expect(text, "deliveries[0].maildir", why)

    @unittest.skipUnless(os.geteuid() == 0, "only root can change to another account")
    def test_a_spool_directory_of_another_account(self) -> None:
        os.mkdir(self.folder / "spool", 0o700)
        os.mkdir(self.folder / "mail", 0o777)
        os.chmod(self.folder / "mail", 0o777)
        why = r"FOLDER/spool: Permission denied; the account to which gatepost changes \(user\) must be able to write there"
        self.expect(self.good.replace("user: root", "user: nobody"), "spool_dir", why)

    def test_a_certificate_that_is_none(self) -> None:
        code, said = serve(self.good.replace("cert.pem", "gatepost.yaml"), self.folder)
        self.assertRegex(said, r"\AFILE:\d+: tls: FILE holds no usable certificate")
        self.assertEqual(code, 73)


class Calls(unittest.TestCase):
    """A wrong call ends with 64 and says what is right."""

    def test_wrong_calls(self) -> None:
        long = "/" + "a" * 120
        for arguments, code, why in (
            ("serv", 64, "use serve, check, status, events or drive"),
            ("serve", 64, "name the configuration: -c FILE"),
            ("serve file", 64, '"file" is too much; the file is given with -c'),
            ("serve -c /nonexistent", 66, "/nonexistent: cannot be read"),
            ("check", 64, "say which file: -c FILE"),
            ("drive", 64, "gatepost drive SOCKET"),
            ("drive socket script more", 64, '"more" is too much'),
            ("drive --break it socket", 64, "half-line, garbage, close, unknown-type or duplicate-id"),
            ("drive --measure --hook disconnect socket", 64, "--hook must be a hook with an answer"),
            (f"events -s {long}", 69, "at most 107 octets"),
            (f"status -s {long}", 69, "at most 107 octets"),
        ):
            with self.subTest(arguments):
                result = subprocess.run([PROGRAM, *arguments.split()], capture_output=True, text=True, timeout=PATIENCE)
                self.assertEqual((result.returncode, result.stdout), (code, ""))
                self.assertIn(why, result.stderr)


if __name__ == "__main__":
    unittest.main()
