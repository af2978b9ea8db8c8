"""What a private Postfix starts with: its master.cf, its directories, its main.cf.

Values only; postfix.py writes them.
"""

from pathlib import Path

MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{submission_port} inet n - n - - smtpd
  -o smtpd_relay_restrictions=permit_mynetworks,permit_sasl_authenticated,reject
  -o smtpd_sasl_auth_enable={authenticate}
  -o milter_macro_daemon_name=submission
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
"""The folders in which mail lies, in the order in which it goes through them."""
_QUEUES = ["active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"]
_QUEUES += ["private", "saved", "trace"]
# Name, owner, group and mode, as in Postfix's own postfix-files.
DIRECTORIES = [
    ("config", "root", "root", 0o755),
    ("data", "postfix", "postfix", 0o700),
    ("queue", "root", "root", 0o755),
    ("queue/pid", "root", "root", 0o755),
    ("queue/public", "postfix", "postdrop", 0o2710),
    ("queue/maildrop", "postfix", "postdrop", 0o1730),
    *[(f"queue/{name}", "postfix", "root", 0o700) for name in _QUEUES],
]


def defaults(directory: Path, sink_port: int | None) -> dict[str, str | int]:
    """Return main.cf for an instance that keeps to itself, with files in `directory`."""
    way_out = f"smtp:[127.0.0.1]:{sink_port}" if sink_port else "retry:4.3.0 no sink"
    return {
        "compatibility_level": "3.6",
        "queue_directory": f"{directory}/queue",
        "data_directory": f"{directory}/data",
        "maillog_file": f"{directory}/mail.log",
        "maillog_file_prefixes": str(directory),
        "inet_interfaces": "loopback-only",
        "inet_protocols": "ipv4",
        # Nothing is delivered here, and nothing can go elsewhere than to the sink.
        "mydestination": "",
        "local_transport": "error:5.1.1 no local delivery",
        "local_recipient_maps": "",
        "alias_maps": "",
        "alias_database": "",
        "default_transport": way_out,
        "relay_transport": "$default_transport",
        "smtp_bind_address": "127.0.0.1",
        "disable_dns_lookups": "yes",
        "smtp_host_lookup": "native",
        "smtpd_peername_lookup": "no",
        "smtpd_relay_restrictions": "permit_mynetworks, reject_unauth_destination",
        "smtpd_sasl_type": "dovecot",
        "smtpd_sasl_path": f"{directory}/accounts",
        "smtpd_authorized_xclient_hosts": "127.0.0.0/8",
        "notify_classes": "",
        "milter_default_action": "tempfail",
        # No tarpits: a test that provokes errors should not wait.
        "smtpd_error_sleep_time": "0",
        "smtpd_hard_error_limit": "1000",
        "smtpd_client_connection_count_limit": "0",
        "smtp_tls_security_level": "none",
        "smtpd_tls_security_level": "none",
    }
