"""A certificate of a private server's own, for localhost, which whoever connects can verify."""

import subprocess
from pathlib import Path

from private.postgres import Postgres

_EXTENSIONS = ("-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=CA:TRUE")


def certify(server: Postgres, home: Path) -> Path:
    """Give a server that was not started yet a key and a certificate.

    Args:
        server: the server; its settings have `ssl` on.
        home: where the certificate lies for those who connect.

    Returns:
        The file of the certificate, which is its own authority.
    """
    data = server.directory / "data"
    key, certificate = data / "server.key", data / "server.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=localhost", *_EXTENSIONS]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    owner = data.stat()
    for each in (key, certificate):
        each.chmod(0o600)
        subprocess.run(["chown", f"{owner.st_uid}:{owner.st_gid}", each], check=True)
    authority = home / "ca.pem"
    authority.write_bytes(certificate.read_bytes())
    return authority
