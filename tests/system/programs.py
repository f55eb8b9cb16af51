"""Mail programs of others that the interoperability tests run; what Debian cannot have installed is fetched here."""

import contextlib
import fcntl
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Any, Callable, Iterator, List

from gateway import PATIENCE, ROOT, wait_until

CACHE = ROOT / "build" / "programs"
NODEMAILER = "7.0.6"
SMTP_SERVER = "3.21.6"
HARAKA = "3.3.4"


def run(*command: str, **options: Any) -> "subprocess.CompletedProcess[str]":
    """The command's result, with its output as text; it need not succeed."""
    options.setdefault("timeout", PATIENCE)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)


def must_run(*command: str, **options: Any) -> str:
    result = run(*command, **options)
    if result.returncode:
        raise AssertionError(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


@contextlib.contextmanager
def background(command: List[str], log: pathlib.Path, ready: Callable[[], Any]) -> Iterator["subprocess.Popen[bytes]"]:
    """A program that serves while the block runs; what it said is in `log`, and in the failure when it does not start."""
    with open(log, "ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        wait_until(lambda: ready() or process.poll() is not None, f"the start of {command[0]}")
        if process.poll() is not None:
            raise AssertionError(f"{' '.join(command)} did not start:\n{log.read_text(errors='replace')}")
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(PATIENCE)


def _fetched(name: str, fetch: Callable[[pathlib.Path], None]) -> pathlib.Path:
    """The folder build/programs/NAME, filled by `fetch` the first time; several tests may ask at once."""
    CACHE.mkdir(parents=True, exist_ok=True)
    folder = CACHE / name
    with open(CACHE / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            part = pathlib.Path(tempfile.mkdtemp(prefix=f"{name}.", dir=CACHE))
            try:
                fetch(part)
                part.chmod(0o755)
                part.rename(folder)
            finally:
                shutil.rmtree(part, ignore_errors=True)
    return folder


def npm_package(name: str, version: str) -> pathlib.Path:
    """The node_modules folder that holds this package, from the npm registry."""

    def fetch(folder: pathlib.Path) -> None:
        options = ["--prefix", str(folder), "--no-audit", "--no-fund", "--ignore-scripts", "--omit=optional", "--loglevel", "error"]
        must_run("npm", "install", *options, f"{name}@{version}", timeout=240)

    return _fetched(f"{name}-{version}", fetch) / "node_modules"


def nodemailer() -> pathlib.Path:
    return npm_package("nodemailer", NODEMAILER)


def _unpacked(package: str) -> pathlib.Path:
    """The folder into which a Debian package was unpacked and not installed."""

    def fetch(folder: pathlib.Path) -> None:
        if run("apt-get", "download", package, cwd=folder, timeout=240).returncode:
            must_run("apt-get", "update", timeout=240)
            must_run("apt-get", "download", package, cwd=folder, timeout=240)
        archive = next(folder.glob("*.deb"))
        must_run("dpkg-deb", "-x", str(archive), str(folder))
        archive.unlink()

    return _fetched(package, fetch)


def exim() -> pathlib.Path:
    """Exim's program. Debian's package cannot be installed beside Postfix."""
    return _unpacked("exim4-daemon-light") / "usr" / "sbin" / "exim4"


def opendkim() -> pathlib.Path:
    """OpenDKIM's program. Debian's package would start a server."""
    return _unpacked("opendkim") / "usr" / "sbin" / "opendkim"


def promtool() -> pathlib.Path:
    """Prometheus' checker. Debian's package would start a server."""
    return _unpacked("prometheus") / "usr" / "bin" / "promtool"


def processes_below(pid: int) -> List[int]:
    """The children of a process, theirs, and so on."""
    found: List[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            for child in pathlib.Path(f"/proc/{pid}/task/{task}/children").read_text().split():
                found += [int(child), *processes_below(int(child))]
    return found
