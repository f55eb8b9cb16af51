"""Mail servers that gatepost delivers to: Postfix, Exim, Dovecot's LMTP, smtp-sink. Each real, in a folder and on ports of its own."""

import contextlib
import os
import pathlib
import shutil
import signal
import smtplib
import socket
import subprocess
import tempfile
from typing import Any, List, Optional, TypeVar

from certificates import Authority, Pair
from gateway import PATIENCE, free_port, wait_until
from programs import exim, must_run
from test_interop_mta import MASTER_CF

AnyPeer = TypeVar("AnyPeer", bound="Peer")


class Peer:
    """A folder below /var/tmp and what runs from it. Use as a context manager; nothing stays behind."""

    KIND = "peer"

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{self.KIND}.", dir="/var/tmp"))
        self.folder.chmod(0o755)
        self.port = free_port()

    @property
    def address(self) -> str:
        """As a delivery names it."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        raise NotImplementedError

    def log(self) -> str:
        return ""

    def answers(self) -> bool:
        """It greets who connects."""
        with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.SMTP("127.0.0.1", self.port, timeout=5):
            return True
        return False

    def _folder_of(self, name: str, user: str = "nobody") -> pathlib.Path:
        path = self.folder / name
        path.mkdir()
        shutil.chown(path, user)
        return path

    def _fill(self, path: str, text: str, **values: Any) -> pathlib.Path:
        """Writes text to a file, with each NAME replaced."""
        for name, value in {"FOLDER": self.folder, **values}.items():
            text = text.replace(name, str(value))
        (self.folder / path).write_text(text.lstrip())
        return self.folder / path

    def mails(self, box: str = "b") -> List[bytes]:
        """What lies in that Maildir."""
        new = self.folder / "mail" / box / "new"
        return [path.read_bytes() for path in sorted(new.iterdir())] if new.is_dir() else []

    def __enter__(self: AnyPeer) -> AnyPeer:
        try:
            self.start()
            wait_until(self.answers, f"the greeting of {self.KIND}")
        except BaseException:
            print(f"--- log of {self.KIND}\n{self.log()[-6000:]}")
            self.__exit__(None)
            raise
        return self

    def __exit__(self, kind: Any, *unused: Any) -> None:
        if kind:
            print(f"--- log of {self.KIND}\n{self.log()[-6000:]}")
        try:
            self.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


MAIN_CF = """
compatibility_level = 3.6
myhostname = backend.example.net
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
queue_directory = FOLDER/queue
data_directory = FOLDER/data
maillog_file = FOLDER/log/mail.log
maillog_file_prefixes = FOLDER
smtputf8_enable = yes
virtual_mailbox_domains = example.com
virtual_mailbox_base = FOLDER/mail
virtual_mailbox_maps = regexp:FOLDER/etc/boxes
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
virtual_minimum_uid = 1
virtual_mailbox_limit = 0
virtual_destination_recipient_limit = 100
smtpd_relay_restrictions = reject_unauth_destination
smtpd_recipient_restrictions = check_recipient_access inline:{ {full@example.com = 452 4.2.2 The mailbox is full} }
smtpd_authorized_xclient_hosts = 127.0.0.0/8
smtpd_client_event_limit_exceptions = 0.0.0.0/0
smtpd_peername_lookup = no
local_header_rewrite_clients =
smtpd_tls_loglevel = 1
default_process_limit = 100
"""

BOXES = """
/^[0-9]*b@example\\.com$/ b/
/^[0-9]*c@example\\.com$/ c/
/^full@example\\.com$/ full/
/^用户@example\\.com$/ utf8/
"""


class PostfixBackend(Peer):
    """b, c and 用户 at example.com exist; full is refused for now; `proxy_port` wants the PROXY protocol."""

    KIND = "postfix"

    def __init__(self, extra: str = "", pair: Optional[Pair] = None) -> None:
        super().__init__()
        self.proxy_port = free_port()
        for name in ("etc", "queue", "log"):
            (self.folder / name).mkdir()
        self._folder_of("data", "postfix")
        self._folder_of("mail")
        if pair:
            extra += f"\nsmtpd_tls_security_level = may\nsmtpd_tls_cert_file = {pair.certificate}\nsmtpd_tls_key_file = {pair.key}"
        self._fill("etc/main.cf", MAIN_CF + extra + "\n")
        self._fill("etc/boxes", BOXES)
        proxy = f"127.0.0.1:{self.proxy_port} inet n - n - - smtpd\n  -o smtpd_upstream_proxy_protocol=haproxy\n"
        self._fill("etc/master.cf", MASTER_CF + "virtual unix - n n - - virtual\n" + proxy, SMTPD=self.port)

    def control(self, action: str) -> str:
        return must_run("postfix", "-c", str(self.folder / "etc"), action)

    def start(self) -> None:
        self.control("start")

    def stop(self) -> None:
        pid_file = self.folder / "queue" / "pid" / "master.pid"
        with contextlib.suppress(OSError, ValueError):
            pid = int(pid_file.read_text())
            self.control("stop")
            wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "the end of Postfix")

    def log(self) -> str:
        path = self.folder / "log" / "mail.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def proxy_address(self) -> str:
        return f"127.0.0.1:{self.proxy_port}"


EXIM_CONF = """
primary_hostname = backend.example.net
spool_directory = FOLDER/spool
log_file_path = FOLDER/log/%slog
exim_user = nobody
exim_group = nogroup
exim_path = PROGRAM
deliver_drop_privilege = true
never_users = root
disable_ipv6
hosts_connection_nolog =
log_selector = +smtp_connection
local_interfaces = 127.0.0.1
daemon_smtp_ports = PORT
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
chunking_advertise_hosts = *
tls_advertise_hosts =
accept_8bitmime
message_size_limit = 20M
rfc1413_query_timeout = 0s
smtp_accept_max = 100
qualify_domain = example.com
keep_environment = PATH : LD_PRELOAD : ^NSS_WRAPPER_
acl_smtp_rcpt = rcpt
acl_smtp_data = accept
begin acl
rcpt:
  accept verify = recipient
  deny message = No such user here
begin routers
boxes:
  driver = accept
  domains = example.com
  local_parts = b : c
  transport = boxes
begin transports
boxes:
  driver = appendfile
  directory = FOLDER/mail/$local_part_data
  maildir_format
  create_directory
  user = nobody
  group = nogroup
  envelope_to_add
"""


class Daemon(Peer):
    """A peer that is one process in the foreground."""

    def __init__(self) -> None:
        super().__init__()
        self.output = self.folder / "output"
        self.process: "Optional[subprocess.Popen[bytes]]" = None

    def command(self) -> List[str]:
        raise NotImplementedError

    def environment(self) -> "dict[str, str]":
        return dict(os.environ)

    def start(self) -> None:
        with open(self.output, "ab") as output:
            # A group of its own, so that none of its children stays.
            self.process = subprocess.Popen(self.command(), stdout=output, stderr=output, env=self.environment(), start_new_session=True)

    def stop(self) -> None:
        if not self.process:
            return
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
            self.process = None

    def log(self) -> str:
        paths = [self.output, *sorted((self.folder / "log").glob("*"))]
        return "".join(path.read_text(errors="replace") for path in paths if path.is_file())


class EximBackend(Daemon):
    """b and c at example.com exist. CHUNKING, DSN, SMTPUTF8, 8BITMIME are offered."""

    KIND = "exim"

    def __init__(self) -> None:
        super().__init__()
        for name in ("spool", "log", "mail"):
            self._folder_of(name)
        # A copy that is not set-uid: its receiving process, which is nobody, starts the delivery, and a set-uid program sheds LD_PRELOAD.
        self.program = self.folder / "exim"
        shutil.copyfile(exim(), self.program)
        self.program.chmod(0o755)
        self.config = self._fill("exim.conf", EXIM_CONF, PROGRAM=self.program, PORT=self.port)
        # Exim wants an account that its package would make. It only has to be there.
        for kind, line in (("passwd", "Debian-exim:x:65534:65534::/:/bin/false"), ("group", "Debian-exim:x:65534:")):
            (self.folder / kind).write_text(f"{line}\n" + pathlib.Path("/etc", kind).read_text())

    def environment(self) -> "dict[str, str]":
        files = {"NSS_WRAPPER_" + kind.upper(): str(self.folder / kind) for kind in ("passwd", "group")}
        return dict(os.environ, LD_PRELOAD="libnss_wrapper.so", **files)

    def command(self) -> List[str]:
        return [str(self.program), "-C", str(self.config), "-bdf", "-oP", str(self.folder / "pid")]


DOVECOT_CONF = """
base_dir = FOLDER/run
state_dir = FOLDER/state
log_path = FOLDER/log/dovecot
listen = 127.0.0.1
protocols = lmtp
ssl = SSL
auth_username_format = %Ln
first_valid_uid = 1
mail_uid = nobody
mail_gid = nogroup
mail_location = maildir:FOLDER/mail/%n
mail_plugins = quota
lmtp_client_workarounds =
postmaster_address = postmaster@example.com
hostname = store.example.net
plugin {
  quota = maildir:box
}
passdb {
  driver = passwd-file
  args = FOLDER/users
}
userdb {
  driver = passwd-file
  args = FOLDER/users
}
service lmtp {
  inet_listener lmtp {
    address = 127.0.0.1
    port = PORT
  }
  unix_listener FOLDER/lmtp.sock {
    mode = 0666
  }
}
"""


class DovecotBackend(Daemon):
    """Dovecot's LMTP. b, c and small exist; small takes 20 kB in all."""

    KIND = "dovecot"

    def __init__(self, pair: Optional[Pair] = None) -> None:
        super().__init__()
        for name in ("log", "mail"):
            self._folder_of(name)
        self.config = self._fill("dovecot.conf", DOVECOT_CONF, PORT=self.port, SSL="yes" if pair else "no")
        if pair:
            with open(self.config, "a") as file:
                file.write(f"ssl_cert = <{pair.certificate}\nssl_key = <{pair.key}\n")
        home = self.folder / "mail"
        users = {"b": "", "c": "", "small": "userdb_quota_rule=*:bytes=20000"}
        lines = [f"{user}:{{PLAIN}}x:65534:65534::{home}::{more}\n" for user, more in users.items()]
        self._fill("users", "".join(lines))

    def command(self) -> List[str]:
        return ["/usr/sbin/dovecot", "-F", "-c", str(self.config)]

    def answers(self) -> bool:
        with contextlib.suppress(OSError, smtplib.SMTPException), smtplib.LMTP("127.0.0.1", self.port, timeout=5):
            return True
        return False

    @property
    def socket(self) -> str:
        return f"unix:{self.folder}/lmtp.sock"


class Sink(Daemon):
    """Postfix's smtp-sink; its options say what it refuses. Each message is a file in `dump`, with X-Rcpt-Args and the like on top."""

    KIND = "sink"

    def __init__(self, *options: str, lmtp: bool = False) -> None:
        super().__init__()
        self.options = [*options, "-L"] if lmtp else list(options)
        self.dump = self._folder_of("dump")

    def command(self) -> List[str]:
        return ["smtp-sink", "-u", "nobody", "-d", f"{self.dump}/m.", *self.options, f"127.0.0.1:{self.port}", "100"]

    def answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True  # with -q CONNECT it greets nobody
        return False

    def dumps(self) -> List[bytes]:
        return [path.read_bytes() for path in sorted(self.dump.iterdir())]


__all__ = ["Authority", "DovecotBackend", "EximBackend", "Pair", "PostfixBackend", "Sink"]
