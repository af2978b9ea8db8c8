"""Programs that hand mail in and read none: of a shell, and libraries that stores' programs use."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_PATIENCE = 60.0


@dataclass(frozen=True)
class Letter:
    """What is to be written; everybody is a bare address."""

    sender: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    subject: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def write(self) -> str:
        """Write it as a message."""
        fields = {"From": self.sender, "To": ", ".join(self.to), "Cc": ", ".join(self.cc)}
        fields |= {"Subject": self.subject, **self.headers}
        lines = [f"{name}: {value}\n" for name, value in fields.items() if value]
        return "".join([*lines, "\n", self.text, "\n"])


_PATCH = """From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001
From: {sender}
Date: Mon, 5 Jan 2026 11:00:00 +0000
Subject: [PATCH] {subject}

{text}

Signed-off-by: A <{sender}>
---
 a | 1 +
 1 file changed, 1 insertion(+)

diff --git a/a b/a
--- a/a
+++ b/a
@@ -0,0 +1 @@
+{sender}
--
2.39.5
"""

_PHP = r"""<?php
foreach (['Exception', 'PHPMailer', 'SMTP'] as $name)
    require "/usr/share/php/libphp-phpmailer/src/$name.php";
$given = json_decode($argv[1], true);
$mail = new PHPMailer\PHPMailer\PHPMailer(true);
$mail->isSMTP();
$mail->Host = '127.0.0.1';
$mail->Port = $given['port'];
$mail->SMTPAutoTLS = false;
$mail->CharSet = 'utf-8';
$mail->setFrom($given['sender'], 'The shop, Köln');
foreach ($given['to'] as $each) $mail->addAddress($each, 'Jörg Ä.');
foreach ($given['cc'] as $each) $mail->addCC($each);
foreach ($given['headers'] as $name => $value) $mail->addCustomHeader($name, $value);
$mail->addReplyTo($given['sender']);
$mail->Subject = $given['subject'];
$mail->isHTML(true);
$mail->Body = '<p>Grüße, <a href="mailto:' . $given['sender'] . '">us</a></p>' . $given['text'];
$mail->AltBody = $given['text'];
$mail->addStringAttachment($given['text'], 'invoice.txt');
$mail->send();
"""

_NODE = r"""
const given = JSON.parse(process.argv[2]);
const mail = require('nodemailer').createTransport(
    {host: '127.0.0.1', port: given.port, secure: false, ignoreTLS: true});
mail.sendMail({
    from: {name: 'The shop, Köln', address: given.sender},
    to: given.to.map(address => ({name: 'Jörg Ä.', address})), cc: given.cc,
    replyTo: given.sender, subject: given.subject, headers: given.headers,
    text: given.text, html: `<p>Grüße, <a href="mailto:${given.sender}">us</a></p>${given.text}`,
    attachments: [{filename: 'invoice.txt', content: given.text}],
}).then(() => process.exit(0), error => { console.error(error); process.exit(1); });
"""

_PYTHON = r"""
import json, smtplib, sys
from email.headerregistry import Address
from email.message import EmailMessage
given = json.loads(sys.argv[1])
mail = EmailMessage()
mail["From"] = Address("The shop, Köln", addr_spec=given["sender"])
mail["To"] = [Address("Jörg Ä.", addr_spec=each) for each in given["to"]]
mail["Cc"], mail["Reply-To"] = given["cc"], given["sender"]
mail["Subject"] = given["subject"]
for name, value in given["headers"].items():
    mail[name] = value
mail.set_content(given["text"])
link = f'<a href="mailto:{given["sender"]}">us</a>'
mail.add_alternative(f"<p>Grüße, {link}</p>{given['text']}", subtype="html")
mail.add_attachment(given["text"].encode(), maintype="text", subtype="plain", filename="i.txt")
with smtplib.SMTP("127.0.0.1", given["port"]) as server:
    server.send_message(mail)
"""


def send_by_swaks(port: int, letter: Letter) -> None:
    """Send by swaks."""
    command = ["swaks", "--server", f"127.0.0.1:{port}", "--from", letter.sender]
    command += ["--to", ",".join([*letter.to, *letter.cc]), "--data", "-"]
    _run(command, letter.write())


def send_by_msmtp(port: int, letter: Letter) -> None:
    """Send by msmtp, as a program that calls it in the place of sendmail does."""
    command = ["msmtp", "--host=127.0.0.1", f"--port={port}", "--tls=off", "--auth=off"]
    _run([*command, f"--from={letter.sender}", "--read-recipients"], letter.write())


def send_by_git(port: int, letter: Letter) -> None:
    """Send a patch by git send-email."""
    with tempfile.TemporaryDirectory(prefix="conversation-tracker-git-") as home:
        patch = Path(home) / "0001-a.patch"
        patch.write_text(
            _PATCH.format(sender=letter.sender, subject=letter.subject, text=letter.text)
        )
        command = ["git", "-c", f"user.email={letter.sender}", "-c", "user.name=A", "send-email"]
        command += ["--smtp-server=127.0.0.1", f"--smtp-server-port={port}", "--confirm=never"]
        command += ["--no-validate", "--suppress-cc=all", f"--from={letter.sender}"]
        command += [f"--to={each}" for each in letter.to] + [f"--cc={each}" for each in letter.cc]
        _run([*command, str(patch)], home=home)


def send_by_phpmailer(port: int, letter: Letter) -> None:
    """Send by PHPMailer."""
    _run_script(["php"], ".php", _PHP, port, letter)


def send_by_nodemailer(port: int, letter: Letter) -> None:
    """Send by nodemailer."""
    _run_script(["node"], ".js", _NODE, port, letter)


def send_by_python(port: int, letter: Letter) -> None:
    """Send by Python's own library."""
    _run_script([sys.executable], ".py", _PYTHON, port, letter)


Mailer = Callable[[int, Letter], None]
IN_A_SHELL: tuple[Mailer, ...] = (send_by_swaks, send_by_msmtp, send_by_git)
LIBRARIES: tuple[Mailer, ...] = (send_by_phpmailer, send_by_nodemailer, send_by_python)


def _run_script(
    interpreter: list[str], ending: str, script: str, port: int, letter: Letter
) -> None:
    given = {"port": port, "sender": letter.sender, "to": letter.to, "cc": letter.cc}
    given |= {"subject": letter.subject, "text": letter.text, "headers": dict(letter.headers)}
    with tempfile.NamedTemporaryFile("w", suffix=ending) as file:
        file.write(script)
        file.flush()
        _run([*interpreter, file.name, json.dumps(given)])


def _run(command: list[str], said: str = "", home: str = "/nonexistent") -> None:
    environ = {"PATH": os.defpath, "HOME": home, "LC_ALL": "C.UTF-8"}
    environ["NODE_PATH"] = "/usr/share/nodejs"
    done = subprocess.run(
        command,
        input=said,
        env=environ,
        cwd="/",
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]}: {done.stdout[-1000:]}{done.stderr[-1000:]}")
