"""An authority of the test's own, and certificates of all the kinds that a client must tell apart."""

import pathlib

from programs import must_run

NAME = "backend.example.net"

CA_CONF = """
[ca]
default_ca = it
[it]
database = FOLDER/index.txt
new_certs_dir = FOLDER
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
"""


class Authority:
    """Makes certificates in `folder`; `file` is its own."""

    def __init__(self, folder: pathlib.Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)
        self.file = folder / "ca.pem"
        (folder / "index.txt").write_text("")
        (folder / "ca.conf").write_text(CA_CONF.replace("FOLDER", str(folder)))
        self._request("ca", "/CN=Test authority", "-x509", "-days", "2")

    def _request(self, stem: str, subject: str, *options: str) -> None:
        suffix = "pem" if "-x509" in options else "csr"
        must_run("openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject,
                 "-keyout", str(self.folder / f"{stem}.key"), "-out", str(self.folder / f"{stem}.{suffix}"), *options)  # fmt: skip

    def make(self, stem: str, name: str = NAME, start: str = "20200101000000Z", end: str = "20491231000000Z") -> "Pair":
        """A certificate of this authority for `name`."""
        self._request(stem, f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}")
        must_run("openssl", "ca", "-batch", "-config", str(self.folder / "ca.conf"), "-notext", "-startdate", start, "-enddate", end,
                 "-cert", str(self.file), "-keyfile", str(self.folder / "ca.key"),
                 "-in", str(self.folder / f"{stem}.csr"), "-out", str(self.folder / f"{stem}.pem"))  # fmt: skip
        return Pair(self.folder, stem)

    def right(self) -> "Pair":
        return self.make("right")

    def wrong_name(self) -> "Pair":
        return self.make("wrong", name="somebody.else.example")

    def expired(self) -> "Pair":
        return self.make("expired", end="20200201000000Z")

    def of_nobody(self) -> "Pair":
        """Right in all but who signed it: itself."""
        self._request("nobody", f"/CN={NAME}", "-x509", "-days", "2", "-addext", f"subjectAltName=DNS:{NAME}")
        return Pair(self.folder, "nobody")


class Pair:
    def __init__(self, folder: pathlib.Path, stem: str) -> None:
        self.certificate, self.key = folder / f"{stem}.pem", folder / f"{stem}.key"
