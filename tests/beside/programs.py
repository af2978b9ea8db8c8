"""The programs that mail hosts run beside the tracker, each as a private instance."""

import secrets
import shutil
import subprocess
from pathlib import Path

from beside.program import Program, answers
from private.ports import free_port


class OpenDmarc(Program):
    """OpenDMARC as a milter; `socket` is where it answers, `authserv_id` whom it speaks for."""

    name, user = "opendmarc", "opendmarc"

    def __init__(self, authserv_id: str) -> None:
        super().__init__()
        self._path = self.socket_folder() / "opendmarc.sock"
        self.socket = f"unix:{self._path}"
        self._config = self.write(
            "opendmarc.conf",
            f"AuthservID {authserv_id}\nTrustedAuthservIDs {authserv_id}\nRejectFailures false\n"
            f"FailureReports false\nSyslog false\nUMask 007\nSocket local:{self._path}\n"
            "SPFIgnoreResults true\n",
        )

    def command(self) -> list[str | Path]:
        return ["opendmarc", "-f", "-c", self._config]

    def ready(self) -> bool:
        return self._path.exists()


class Rspamd(Program):
    """Rspamd as a milter, with the distribution's rules; `settings` are files of local.d."""

    name, user = "rspamd", "_rspamd"

    def __init__(self, settings: dict[str, str]) -> None:
        super().__init__()
        port = free_port()
        self._port = port
        self.socket = f"inet:127.0.0.1:{port}"
        own = {
            "options.inc": 'dns { nameserver = ["127.0.0.1:9"]; timeout = 0.2s; retransmits = 1; }'
            '\nlocal_addrs = ["127.0.0.0/8"];\ncontrol_socket = "rspamd.sock mode=0600";\n',
            "logging.inc": 'type = "console";\nlevel = "error";\n',
            "worker-normal.inc": f'bind_socket = "127.0.0.1:{free_port()}";\ncount = 1;\n',
            "worker-controller.inc": f'bind_socket = "127.0.0.1:{free_port()}";\ncount = 1;\n',
            "worker-fuzzy.inc": "count = -1;\n",
            "worker-proxy.inc": f'bind_socket = "127.0.0.1:{port}";\nmilter = yes;\ncount = 1;\n'
            'upstream "local" { default = yes; self_scan = yes; }\n',
            # Nothing of another host, and no judgement of how the mail looks.
            "rbl.conf": "enabled = false;\n",
            "surbl.conf": "enabled = false;\n",
            "fuzzy_check.conf": "enabled = false;\n",
            "phishing.conf": "enabled = false;\n",
            "asn.conf": "enabled = false;\n",
            "mx_check.conf": "enabled = false;\n",
            "greylist.conf": "enabled = false;\n",
            "actions.conf": "reject = 1000;\nadd_header = 900;\ngreylist = null;\n",
            **settings,
        }
        for name, text in own.items():
            self.write(f"local/local.d/{name}", text)
        for name in ("db", "run", "logs"):
            self.folder(name)

    def command(self) -> list[str | Path]:
        places = {"LOCAL_CONFDIR": "local", "DBDIR": "db", "RUNDIR": "run", "LOGDIR": "logs"}
        command: list[str | Path] = ["rspamd", "-f", "-i"]
        command += ["-u", self.user, "-g", self.user, "-c", "/etc/rspamd/rspamd.conf"]
        for name, place in places.items():
            command += ["--var", f"{name}={self.directory / place}"]
        return command

    def runs_as(self) -> str | None:
        return None

    def ready(self) -> bool:
        return answers(self._port)()


class Amavis(Program):
    """amavisd-new as a content filter, which looks for nothing and hands all mail on to `back`."""

    name, user, owner = "amavisd", "amavis", "root"

    def __init__(self, back: int) -> None:
        super().__init__()
        self.port = free_port()
        home = self.directory
        for name in ("tmp", "var", "db"):
            self.folder(name)
        self._config = self.write(
            "amavisd.conf",
            f"""use strict;
$max_servers = 2; $daemon_user = 'amavis'; $daemon_group = 'amavis';
$mydomain = 'mail.example.com'; $myhostname = 'mail.example.com';
$MYHOME = '{home}'; $TEMPBASE = '{home}/tmp'; $db_home = '{home}/db'; $helpers_home = '{home}/var';
$pid_file = '{home}/var/pid'; $lock_file = '{home}/var/lock';
$inet_socket_port = {self.port}; $inet_socket_bind = '127.0.0.1'; @inet_acl = ('127.0.0.1');
$forward_method = 'smtp:[127.0.0.1]:{back}'; $notify_method = $forward_method;
$enable_db = 0; $enable_zmq = 0; $log_level = 0; $do_syslog = 0; $DEBUG = 0;
$LOGFILE = '{home}/var/amavis.log'; $unix_socketname = undef; $insert_received_line = 1;
@bypass_virus_checks_maps = (1); @bypass_spam_checks_maps = (1);
@bypass_banned_checks_maps = (1); @bypass_header_checks_maps = (1);
$final_virus_destiny = D_PASS; $final_spam_destiny = D_PASS; $final_banned_destiny = D_PASS;
$final_bad_header_destiny = D_PASS; $enable_dkim_verification = 0;
$allowed_added_header_fields{{lc('X-Virus-Scanned')}} = 1; $X_HEADER_LINE = 'by amavis';
1;
""",
        )

    def command(self) -> list[str | Path]:
        return ["amavisd", "-u", self.user, "-g", self.user, "-c", self._config, "foreground"]

    def runs_as(self) -> str | None:
        return None

    def ready(self) -> bool:
        return answers(self.port, b"220")()


class PostSrsd(Program):
    """PostSRSd, which rewrites envelope senders; `excluded` are domains it leaves alone."""

    name = "postsrsd"

    def __init__(self, domain: str, *excluded: str) -> None:
        super().__init__()
        self.forward, self.reverse = free_port(), free_port()
        secret = self.write("secret", secrets.token_hex(16))
        self._options = ["-4", "-s", secret, "-d", domain, "-l", "127.0.0.1"]
        self._options += ["-f", str(self.forward), "-r", str(self.reverse)]
        self._options += [f"-X{each}" for each in excluded]

    def command(self) -> list[str | Path]:
        return ["postsrsd", *self._options]

    def ready(self) -> bool:
        return answers(self.forward)()

    @property
    def settings(self) -> dict[str, str]:
        """What main.cf says, as the package's own instructions have it."""
        return {
            "sender_canonical_maps": f"tcp:127.0.0.1:{self.forward}",
            "sender_canonical_classes": "envelope_sender",
            "recipient_canonical_maps": f"tcp:127.0.0.1:{self.reverse}",
            "recipient_canonical_classes": "envelope_recipient,header_recipient",
        }


class Dovecot(Program):
    """Dovecot's LMTP with Sieve; `port` takes mail, `imap` gives it to whoever says a user's name.

    `submission` is where Sieve sends to, `quota` how many octets a mailbox may hold.
    """

    name, user = "dovecot", "dovecot"

    def __init__(self, submission: int, quota: int = 10_000_000) -> None:
        super().__init__()
        self.port, self.imap = free_port(), free_port()
        self._mail = self.folder("mail", "nobody")
        self._scripts = self.folder("scripts", "nobody", 0o755)
        for name in ("run", "state"):
            self.folder(name, "root", 0o755)
        home = self.directory
        self._config = self.write(
            "dovecot.conf",
            f"""protocols = lmtp imap
disable_plaintext_auth = no
mail_plugins = quota
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
ssl = no
default_internal_user = dovecot
default_login_user = dovenull
first_valid_uid = 1
mail_location = maildir:{self._mail}/%n
auth_mechanisms = plain
hostname = mail.example.com
passdb {{
  driver = static
  args = nopassword=y
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={self._mail}/%n allow_all_users=yes
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {self.port}
  }}
}}
service imap-login {{
  inet_listener imap {{
    address = 127.0.0.1
    port = {self.imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
submission_host = 127.0.0.1:{submission}
protocol lmtp {{
  mail_plugins = $mail_plugins sieve
  postmaster_address = postmaster@mail.example.com
}}
plugin {{
  sieve = file:{self._scripts}/%n.sieve;active={self._mail}/%n.sieve
  quota = maildir:User quota
  quota_rule = *:bytes={quota}
  quota_grace = 0
  sieve_vacation_send_from_recipient = no
  sieve_redirect_envelope_from = sender
}}
""",
        )

    def command(self) -> list[str | Path]:
        return ["dovecot", "-F", "-c", self._config]

    def runs_as(self) -> str | None:
        return None

    def ready(self) -> bool:
        return answers(self.port, b"220")()

    def script(self, user: str, text: str) -> None:
        """Give a user a Sieve script."""
        path = self._scripts / f"{user}.sieve"
        path.write_text(text)
        shutil.chown(path, "nobody")
        subprocess.run(["sievec", "-c", self._config, path], check=True, capture_output=True)
        for each in self._scripts.iterdir():
            shutil.chown(each, "nobody")

    def mailbox(self, user: str) -> list[bytes]:
        """Return what lies in a user's mailbox."""
        return [path.read_bytes() for path in sorted((self._mail / user).glob("new/*"))]


class Mailman(Program):
    """Mailman 3's core: `lmtp` takes the lists' mail, and it sends to the SMTP server at `smtp`."""

    name, user = "mailman", "list"

    def __init__(self, smtp: int) -> None:
        super().__init__()
        self.lmtp = free_port()
        var = self.folder("var")
        self._config = self.write(
            "mailman.cfg",
            f"""[mailman]
layout: here
site_owner: postmaster@lists.example
[paths.here]
var_dir: {var}
queue_dir: $var_dir/queue
bin_dir: /usr/lib/mailman3/bin
list_data_dir: $var_dir/lists
log_dir: $var_dir/logs
lock_dir: $var_dir/locks
data_dir: $var_dir/data
cache_dir: $var_dir/cache
etc_dir: $var_dir/etc
ext_dir: $var_dir/ext
messages_dir: $var_dir/messages
archive_dir: $var_dir/archives
template_dir: $var_dir/templates
pid_file: $var_dir/master.pid
lock_file: $lock_dir/master.lck
[database]
url: sqlite:///$DATA_DIR/mailman.db
[mta]
incoming: mailman.mta.null.NullMTA
smtp_host: 127.0.0.1
smtp_port: {smtp}
lmtp_host: 127.0.0.1
lmtp_port: {self.lmtp}
[webservice]
port: {free_port()}
[archiver.prototype]
enable: no
""",
        )

    def command(self) -> list[str | Path]:
        return ["/usr/lib/mailman3/bin/master", "-C", self._config]

    def ready(self) -> bool:
        return answers(self.lmtp, b"220")()

    def run(self, *arguments: str, said: str = "") -> str:
        """Run one of its commands."""
        done = subprocess.run(
            ["mailman", "-C", str(self._config), *arguments],
            input=said,
            user=self.user,
            group=self.user,
            extra_groups=[],
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"mailman {arguments}: {done.stderr[-800:]}")
        return done.stdout
