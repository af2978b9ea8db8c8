"""Reports that come back: delivery status, words of old servers, receipts, complaints, answers."""

import os
from base64 import b64encode
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from cost import within
from hypothesis import given, settings
from hypothesis import strategies as st
from returned import DAEMON, RETURNED, mail

from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.model.message import Header, Message, parse
from conversation_tracker.core.reports.delivery_status import MAX_RECIPIENTS, find_status
from conversation_tracker.core.reports.report import Report, read_report

CORPUS = os.environ.get("CONVERSATION_TRACKER_CORPUS")
"""A folder of test messages with a MANIFEST.tsv: columns `file` and `kind`, among others."""

PERSON = "From: Jane Doe <jane@example.net>"
REPORT = 'Content-Type: multipart/report; report-type=delivery-status; boundary="b"'


def dsn(
    fields: str | bytes,
    *,
    null: bool = True,
    line_end: str = "\n",
    head: str = f"{DAEMON}\nSubject: Undelivered Mail Returned to Sender",
    kind: str = "Content-Type: message/delivery-status",
    text: str = "I'm sorry.\n",
) -> Message:
    """Make a delivery status notification of which `fields` is the second part."""
    before = f"--b\n\n{text}\n--b\n{kind}\n\n".replace("\n", line_end).encode()
    after = f"\n--b\nContent-Type: message/rfc822\n\n{RETURNED}--b--\n"
    content = fields if isinstance(fields, bytes) else fields.replace("\n", line_end).encode()
    return mail(
        f"{head}\n{REPORT}", before + content + after.replace("\n", line_end).encode(), null=null
    )


def addresses(*texts: str) -> tuple[Address, ...]:
    return tuple(Address.parse(text) for text in texts)


PLAIN = """\
Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; john@example.org
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 No such user
"""
JOHN = addresses("john@example.org")
EXPECTED = Report("failed", "5.1.1", "550 5.1.1 No such user", JOHN)

DELAYED = """
Final-Recipient: rfc822; sue@example.org
Action: delayed
Status: 4.4.1
"""

STANDARD = {
    "plain": (PLAIN, EXPECTED),
    "other case, blanks before colons": (
        "FINAL-RECIPIENT : RFC822 ;john@example.org\naction:FAILED\nSTATUS  :  5.1.1\n"
        "diagnostic-code : SMTP ; 550 5.1.1 No such user\n",
        EXPECTED,
    ),
    "folded": (PLAIN.replace("550 ", "550\n\t"), EXPECTED),
    "folded without white space": (PLAIN.replace("550 ", "550\n"), EXPECTED),
    "no blank line before the recipient": (PLAIN.replace("\n\n", "\n"), EXPECTED),
    "every line doubled": (PLAIN.replace("\n", "\n\n"), EXPECTED),
    "null bytes": (PLAIN.replace("failed", "fai\0led\0"), EXPECTED),
    "comments": (
        PLAIN.replace("5.1.1\n", "5.1.1 (permanent)\n", 1).replace("failed", "failed (given up)"),
        EXPECTED,
    ),
    "address in brackets, no type": (
        PLAIN.replace("rfc822; john@example.org", "<john@example.org>"),
        EXPECTED,
    ),
    "without action": (PLAIN.replace("Action: failed\n", ""), EXPECTED),
    "with an action of another kind": (PLAIN.replace("failed", "xxxx"), EXPECTED),
    "without status": (PLAIN.replace("Status: 5.1.1\n", ""), EXPECTED),
    "status says less than the remote": (PLAIN.replace("Status: 5.1.1", "Status: 5.0.0"), EXPECTED),
    "only an SMTP reply": (
        "Final-Recipient: rfc822; john@example.org\nDiagnostic-Code: smtp; 550 Unknown\n",
        Report("failed", "5.0.0", "550 Unknown", JOHN),
    ),
    "worst of several, delay first": (
        PLAIN.partition("\n\n")[0] + "\n" + DELAYED + "\n" + PLAIN.partition("\n\n")[2],
        Report(
            "failed",
            "5.1.1",
            "550 5.1.1 No such user",
            addresses("sue@example.org", "john@example.org"),
        ),
    ),
    "worst of several, without blank lines": (
        PLAIN + DELAYED.lstrip(),
        Report(
            "failed",
            "5.1.1",
            "550 5.1.1 No such user",
            addresses("john@example.org", "sue@example.org"),
        ),
    ),
    "delay": (DELAYED, Report("delayed", "4.4.1", "", addresses("sue@example.org"))),
    "delay by its class": (
        DELAYED.replace("Action: delayed\n", ""),
        Report("delayed", "4.4.1", "", addresses("sue@example.org")),
    ),
    "delivered": (
        "Final-Recipient: rfc822; john@example.org\nAction: delivered\nStatus: 2.1.5\n",
        Report("delivered", "2.1.5", "", JOHN),
    ),
    "relayed": (
        "Final-Recipient: rfc822; john@example.org\nAction: relayed\nStatus: 2.0.0\n",
        Report("delivered", "2.0.0", "", JOHN),
    ),
    "expanded": (
        "Final-Recipient: rfc822; john@example.org\nAction: expanded\n",
        Report("delivered", "", "", JOHN),
    ),
    "given up after delays": (
        "Action: failed\nStatus: 4.4.7\nFinal-Recipient: rfc822;john@example.org",
        Report("failed", "4.4.7", "", JOHN),
    ),
    "expired": (
        "Final-Recipient: rfc822; john@example.org\nAction: expired\n"
        "Status: \nDiagnostic-Code: Connection timed out\n",
        Report("failed", "", "Connection timed out", JOHN),
    ),
    "without recipients": (
        "Reporting-MTA: dns; mx.example.net\n\nAction: failed\nStatus: 5.4.4\n",
        Report("failed", "5.4.4"),
    ),
    "empty": ("", Report("failed")),
    "nothing to understand": ("Action: xxxx\n\nxxxx\n\0\xff", Report("failed")),
    "a diagnostic with controls and encoded words": (
        "Final-Recipient: rfc822; john@example.org\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 \x1b[31mno\u202e =?utf-8?q?f=C3=BCr?= \x07you\n",
        Report("failed", "5.1.1", "550 [31mno für you", JOHN),
    ),
}


@pytest.mark.parametrize("line_end", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize(("fields", "expected"), STANDARD.values(), ids=STANDARD.keys())
def test_a_delivery_status_is_read(fields: str, expected: Report, line_end: str) -> None:
    """RFC 3464 in all the shapes that servers give it."""
    assert read_report(dsn(fields, line_end=line_end)) == expected


QUOTED = PLAIN.replace("=", "=3D").replace("Action", "=41ction")
BASE64 = b64encode(PLAIN.encode()).decode()


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("Content-Type: MESSAGE/Delivery-Status; name=status.txt", PLAIN),
        ("Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64", BASE64),
        (
            "Content-Type: message/delivery-status\nContent-Transfer-Encoding: quoted-printable",
            QUOTED,
        ),
        ("Content-Type: message/global-delivery-status", PLAIN),
        ("Content-Type: text/plain", PLAIN),
    ],
)
def test_a_delivery_status_is_read_in_any_wrapping(kind: str, fields: str) -> None:
    """Encoded, of the newer type of RFC 6533, or of no type of its own."""
    assert read_report(dsn(fields, kind=kind)) == EXPECTED


@pytest.mark.parametrize(
    "written", ["utf-8; jos\u00e9@example.org", r"utf-8; jos\x{E9}@example.org"]
)
def test_an_international_recipient_is_read(written: str) -> None:
    """RFC 6533 section 3: as UTF-8, or with its characters as numbers."""
    fields = PLAIN.replace("rfc822; john@example.org", written)
    assert read_report(dsn(fields)).recipients == addresses("jos\u00e9@example.org")


def test_original_and_final_recipient_are_both_named() -> None:
    """Each once, the original one first where it stands first or not."""
    fields = "Original-Recipient: rfc822;john@example.org\nFinal-Recipient: rfc822;j@example.org\n"
    again = "\nOriginal-Recipient: rfc822;JOHN@example.org\n"
    report = read_report(dsn(fields + "Action: failed\n" + again + "Action: failed\n"))
    assert report.recipients == addresses("john@example.org", "j@example.org")


def test_a_thousand_recipients_are_bounded() -> None:
    """The worst of them all counts; only the first hundred are read."""
    block = "Final-Recipient: rfc822; u{}@example.org\nAction: {}\nStatus: {}\n\n"
    many = "".join(block.format(i, "delayed", "4.0.0") for i in range(1000))
    report = read_report(dsn(many + block.format(1000, "failed", "5.2.2")))
    assert (report.kind, report.status) == ("failed", "5.2.2")
    assert len(report.recipients) == MAX_RECIPIENTS


def test_a_long_diagnostic_is_cut() -> None:
    """At five hundred characters."""
    assert len(read_report(dsn(PLAIN.replace("No such user", "x" * 5000))).diagnostic) == 500


def nested(levels: int, kind: str) -> str:
    """Put a delivery status into so many parts of a kind."""
    text = f"Content-Type: message/delivery-status\n\n{PLAIN}"
    for level in range(levels):
        if kind == "multipart":
            head = f'Content-Type: multipart/mixed; boundary="l{level}"\n\n'
            text = f"{head}--l{level}\n{text}\n--l{level}--\n"
        else:
            text = f"Content-Type: message/rfc822\n\n{text}"
    return text


@pytest.mark.parametrize("kind", ["multipart", "message"])
@pytest.mark.parametrize("null", [True, False])
def test_a_delivery_status_is_found_ten_deep(kind: str, null: bool) -> None:
    """In multiparts or attached messages, where a mail system sent them."""
    head = f'{DAEMON}\nContent-Type: multipart/mixed; boundary="b"'
    assert read_report(mail(head, f"--b\n{nested(9, kind)}\n--b--\n", null=null)) == EXPECTED


def test_a_structure_without_end_is_returned_mail_without_a_reason() -> None:
    """What is too deep to be read is recognised by its first lines."""
    head = f'{DAEMON}\nSubject: Undelivered Mail\nContent-Type: multipart/mixed; boundary="b"'
    assert read_report(mail(head, f"--b\n{nested(40, 'multipart')}\n--b--\n")).kind == "failed"


def test_a_missing_diagnostic_is_taken_from_the_text() -> None:
    """Exchange tells people what it does not tell programs."""
    text = "john@example.org\nRemote server returned '550 5.1.1 Mailbox unknown'\n"
    fields = PLAIN.replace("Diagnostic-Code: smtp; 550 5.1.1 No such user\n", "")
    assert read_report(dsn(fields, text=text)).diagnostic == "550 5.1.1 Mailbox unknown"


def test_the_returned_message_is_not_the_report() -> None:
    """A person who sends a report on as an attachment reports nothing."""
    inner = dsn(PLAIN)
    head = "\n".join(f"{h.name.decode()}: {h.value.decode()}" for h in inner.headers)
    body = f"--x\n\nSee below.\n--x\nContent-Type: message/rfc822\n\n{head}\n\n".encode()
    outer = f'{PERSON}\nContent-Type: multipart/mixed; boundary="x"'
    assert read_report(mail(outer, body + inner.body + b"\n--x--\n", null=False)).kind == "other"


def test_a_report_of_another_sender_is_one_all_the_same() -> None:
    """Only programs send a multipart/report, whatever sender they give."""
    assert read_report(dsn(PLAIN, null=False, head=PERSON)) == EXPECTED


class Shape(NamedTuple):
    """How one server tells of one message."""

    head: str
    text: str
    status: str
    diagnostic: str
    kind: str = "failed"


COPY = "\n------ This is a copy of the message, including all the headers. ------\n\n" + RETURNED
WORDS = {
    "exim": Shape(
        f"{DAEMON}\nX-Failed-Recipients: john@example.org\nAuto-Submitted: auto-replied\n"
        "Subject: Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\n"
        "A message that you sent could not be delivered to one or more of its\n"
        "recipients. This is a permanent error. The following address(es) failed:\n\n"
        "  john@example.org\n    host mx.example.org [192.0.2.1]\n"
        "    SMTP error from remote mail server after RCPT TO:<john@example.org>:\n"
        "    550 5.1.1 <john@example.org>... User Unknown\n" + COPY,
        "5.1.1",
        "550 5.1.1 <john@example.org>... User Unknown",
    ),
    "exim without a reply": Shape(
        f"{DAEMON}\nSubject: Mail delivery failed",
        "This message was created automatically by mail delivery software.\n\n"
        "The following address(es) failed:\n\n  john@example.org\n    retry timeout exceeded\n"
        + COPY,
        "",
        "retry timeout exceeded",
    ),
    "exim warning": Shape(
        f"{DAEMON}\nSubject: Warning: message 1abcde-000001-AB delayed 24 hours",
        "This message was created automatically by mail delivery software.\n"
        "A message that you sent has not yet been delivered to one or more of its recipients\n"
        "after more than 24 hours on the queue on mx.example.net.\n\n  john@example.org\n\n"
        "No action is required on your part. Delivery attempts will continue for some time.\n",
        "",
        "",
        "delayed",
    ),
    "qmail": Shape(
        f"{DAEMON}\nSubject: failure notice",
        "Hi. This is the qmail-send program at mx.example.net.\n"
        "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
        "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        "<john@example.org>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
        "--- Below this line is a copy of the message.\n\n" + RETURNED,
        "5.1.1",
        "Sorry, no mailbox here by that name. (#5.1.1)",
    ),
    "qmail, remote": Shape(
        f"{DAEMON}\nSubject: failure notice",
        "Hi. This is the qmail-send program at mx.example.net.\n\n<john@example.org>:\n"
        "192.0.2.1 does not like recipient.\n"
        "Remote host said: 552-5.2.2 Mailbox\r\r\n552 5.2.2 full\n"
        "Giving up on 192.0.2.1.\n\n--- Below this line is a copy of the message.\n\n" + RETURNED,
        "5.2.2",
        "552-5.2.2 Mailbox 552 5.2.2 full",
    ),
    "postfix before RFC 3464": Shape(
        f"{DAEMON}\nSubject: Undelivered Mail Returned to Sender",
        "This is the Postfix program at host mx.example.net.\n\n"
        "I'm sorry to have to inform you that the message returned\n"
        "below could not be delivered to one or more destinations.\n\n\t\t\tThe Postfix program\n\n"
        "<john@example.org>: Name service error for domain example.org: Host not found\n",
        "",
        "Name service error for domain example.org: Host not found",
    ),
    "postfix warning before RFC 3464": Shape(
        f"{DAEMON}\nSubject: Delayed Mail (still being retried)",
        "####################################################################\n"
        "# THIS IS A WARNING ONLY.  YOU DO NOT NEED TO RESEND YOUR MESSAGE. #\n",
        "",
        "",
        "delayed",
    ),
    "sendmail": Shape(
        f"{DAEMON}\nSubject: Returned mail: User unknown",
        "The original message was received at Mon, 1 Jan 2001 00:00:00 +0000\n\n"
        "   ----- The following addresses had permanent fatal errors -----\n<john@example.org>\n\n"
        "   ----- Transcript of session follows -----\n... while talking to mx.example.org.:\n"
        ">>> RCPT To:<john@example.org>\n<<< 550 5.1.1 <john@example.org>... User unknown\n"
        "550 <john@example.org>... User unknown\n\n"
        "   ----- Original message follows -----\n" + RETURNED,
        "5.1.1",
        "550 5.1.1 <john@example.org>... User unknown 550 <john@example.org>... User unknown",
    ),
    "exchange": Shape(
        "From: System Administrator <postmaster@example.org>\nSubject: Undeliverable: Your order",
        "Your message\n\n  To:      john@example.org\n  Subject: Your order\n\n"
        "did not reach the following recipient(s):\n\n"
        "john@example.org on Mon, 1 Jan 2001 00:00:00 +0000\n"
        "    The recipient name is not recognized\n\n",
        "",
        "The recipient name is not recognized",
    ),
    "office 365": Shape(
        "From: <postmaster@example.org>\nContent-Type: text/html; charset=utf-8\n"
        "Subject: Undeliverable: Your order",
        "<html><p>Delivery has failed to these recipients or groups:</p>"
        "<p>john@example.org</p><p>The email address wasn\u2019t found.</p>"
        "<p>Remote server returned "
        "&#39;550 5.1.10 Recipient not found&#39;</p></html>",
        "5.1.10",
        "550 5.1.10 Recipient not found",
    ),
    "lotus and domino": Shape(
        "From: Postmaster@example.org\n"
        "Subject: DELIVERY FAILURE: User john not listed in Domino Directory",
        "Your message\n\n  Subject: Your order\n\nwas not delivered to:\n\n  john@example.org\n\n"
        "because:\n\n  User john (john@example.org) not listed in Domino Directory\n\n",
        "",
        "User john (john@example.org) not listed in Domino Directory",
    ),
    "yahoo": Shape(
        "From: MAILER-DAEMON@example.net\nSubject: Delivery failure",
        "Message from  example.net.\nUnable to deliver message to the following address(es).\n\n"
        "<john@example.org>:\nSorry, this account has been disabled or discontinued [#102].\n\n"
        "--- Original message follows.\n\n" + RETURNED,
        "",
        "Sorry, this account has been disabled or discontinued [#102]",
    ),
    "gmail": Shape(
        "From: Mail Delivery Subsystem <mailer-daemon@example.net>\n"
        "X-Failed-Recipients: john@example.org\nSubject: Delivery Status Notification (Failure)",
        "Delivery to the following recipient failed permanently:\n\n     john@example.org\n\n"
        "Technical details of permanent failure:\nThe error that the other server returned was:\n"
        "550 550 5.1.1 <john@example.org>: User unknown (state 14).\n\n"
        "----- Original message -----\n\n" + RETURNED,
        "5.1.1",
        "550 550 5.1.1 <john@example.org>: User unknown (state 14)",
    ),
    "gmail warning": Shape(
        "From: Mail Delivery Subsystem <mailer-daemon@example.net>\n"
        "Subject: Delivery Status Notification (Delay)",
        "Delivery to the following recipient has been delayed:\n\n     john@example.org\n\n"
        "Message will be retried for 2 more day(s)\n",
        "",
        "",
        "delayed",
    ),
    "aol": Shape(
        "From: Mail Delivery Subsystem <MAILER-DAEMON@example.net>\nSubject: Mail Delivery Problem",
        "Your mail to the following recipients could not be delivered because they are not\n"
        "accepting mail from john@example.com:\n\tjohndoe\n",
        "",
        "",
    ),
    "mdaemon": Shape(
        "From: MDaemon@example.org\nSubject: Permanent Delivery Failure",
        "The following addresses did NOT receive a copy of your message:\n\n> john@example.org\n\n"
        "--- Session Transcript ---\n Mon 00:00:00: <-- 550 <john@example.org>, Recipient unknown\n"
        "--- End Transcript ---\n",
        "5.0.0",
        "550 <john@example.org>, Recipient unknown",
    ),
    "smtp32": Shape(
        "From: Postmaster <postmaster@example.org>\nX-Mailer: <SMTP32 v8.22>\n"
        "Subject: Undeliverable Mail",
        "User mailbox exceeds allowed size: john@example.org\n\n"
        "Original message follows.\n\n" + RETURNED,
        "",
        "User mailbox exceeds allowed size",
    ),
    "groupwise": Shape(
        "From: Mailer-Daemon@example.org\nSubject: Message status - undeliverable\n"
        "X-Mailer: Novell GroupWise Internet Agent 5.5\n"
        'Content-Type: multipart/mixed; boundary="b"',
        "--b\nContent-Type: text/plain\n\n"
        "The message that you sent was undeliverable to the following:\n"
        "\tjohn@example.org (user not found)\n\nPossibly truncated original message follows:\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{RETURNED}--b--\n",
        "",
        "(user not found)",
    ),
    "interscan": Shape(
        "From: postmaster@example.org\nSubject: Mail could not be delivered",
        "****** Message from InterScan E-Mail VirusWall NT ******\n\n"
        "Unable to deliver message to <john@example.org>.\n\n"
        "Reason: Exceeded maximum delivery attempts.\n\n****** End of message ******\n",
        "",
        "Exceeded maximum delivery attempts",
    ),
    "in German": Shape(
        f"{DAEMON}\nSubject: Fehlerbericht",
        "Ihre Nachricht konnte nicht zugestellt werden.\n\njohn@example.org\n",
        "",
        "",
    ),
    "in Japanese, encoded, from nobody": Shape(
        "From: <>\nSubject: x\nContent-Type: text/plain; charset=iso-2022-jp",
        "\x1b$B$3$N%a!<%k$OAw?.$G$-$^$;$s$G$7$?\x1b(B\n550 5.4.1 Access denied\n",
        "5.4.1",
        "550 5.4.1 Access denied",
    ),
    "in no language we know": Shape(
        f"{DAEMON}\nSubject: Quux\n" + 'Content-Type: multipart/mixed; boundary="b"',
        f"--b\n\nFoo bar.\n--b\nContent-Type: message/rfc822\n\n{RETURNED}--b--\n",
        "",
        "",
    ),
    "told by its subject": Shape(
        "From: postmaster@example.org\nSubject: =?utf-8?q?Undeliverable=3A?= Your order",
        "Quux.\n",
        "",
        "",
    ),
    "success": Shape(
        f"{DAEMON}\nSubject: Return receipt",
        "   ----- The following addresses had successful delivery notifications -----\n"
        "<john@example.org>  (successfully delivered to mailbox)\n",
        "",
        "(successfully delivered to mailbox)",
        "delivered",
    ),
    "rejected by a filter, as a receipt": Shape(
        "From: postmaster@example.org\nContent-Type: multipart/report; "
        'report-type=disposition-notification; boundary="b"',
        "--b\n\nYour message to <john@example.org> was automatically rejected:\nQuota exceeded\n"
        "--b\nContent-Type: message/disposition-notification\n\n"
        "Disposition: automatic-action/MDN-sent-automatically; deleted\n--b--\n",
        "",
        "Quota exceeded",
    ),
}


@pytest.mark.parametrize("shape", WORDS.values(), ids=WORDS.keys())
def test_returned_mail_is_told_by_its_words(shape: Shape) -> None:
    """Servers that know no RFC 3464 are understood, with what they say of the reason."""
    report = read_report(mail(shape.head, shape.text))
    assert (report.kind, report.status) == (shape.kind, shape.status)
    assert report.diagnostic == shape.diagnostic


def test_the_table_names_the_recipient() -> None:
    """Addresses that stand in the text, or in X-Failed-Recipients, are found."""
    report = read_report(mail(WORDS["exim"].head, WORDS["exim"].text))
    assert report.recipients == JOHN


@pytest.mark.parametrize("shape", WORDS.values(), ids=WORDS.keys())
def test_a_person_who_quotes_a_bounce_is_a_person(shape: Shape) -> None:
    """The same words from somebody with a return path count for nothing."""
    text = f"What does this mean?\n\n{shape.text}"
    message = mail(f"{PERSON}\nSubject: Fwd: failure", text, null=False, sender="jane@example.net")
    assert read_report(message) == Report("other")


ANSWERS = {
    "vacation": f"{PERSON}\nAuto-Submitted: auto-replied\nSubject: Away until May 5",
    "vacation with parameters": f"{PERSON}\nAuto-Submitted: auto-replied (vacation)\nSubject: x",
    "x-autoreply": f"{PERSON}\nX-Autoreply: yes\nSubject: x",
    "auto_reply": f"{PERSON}\nPrecedence: auto_reply\nSubject: Auto reply",
    "bulk": f"{PERSON}\nPrecedence: bulk\nSubject: Out of Office: Your order",
    "german": f"{PERSON}\nPrecedence: junk\nSubject: Automatische Antwort: Ihre Bestellung",
    "encoded": f"{PERSON}\nPrecedence: bulk\nSubject: =?utf-8?q?R=C3=A9ponse_automatique_=3A_x?=",
    "generated": "From: noreply@example.net\nAuto-Submitted: auto-generated\nSubject: Ticket 1",
}


@pytest.mark.parametrize("null", [True, False])
@pytest.mark.parametrize("head", ANSWERS.values(), ids=ANSWERS.keys())
def test_an_automatic_answer_is_automatic(head: str, null: bool) -> None:
    """Whatever its envelope sender (RFC 3834 section 3.3)."""
    assert read_report(mail(head, "I am away.\n", null=null)) == Report("automatic")


@pytest.mark.parametrize("head", list(ANSWERS.values())[:-1])
@pytest.mark.parametrize("shape", WORDS.values(), ids=WORDS.keys())
def test_an_automatic_answer_is_never_a_failure(shape: Shape, head: str) -> None:
    """Not even where it says that something could not be delivered."""
    assert read_report(mail(head, shape.text)).kind == "automatic"


def test_an_out_of_office_with_the_null_sender_alone_is_automatic() -> None:
    """Exchange sends them so."""
    head = f"{PERSON}\nSubject: Out of Office: Your order"
    text = "I am away. Mail sent to me could not be delivered to one or more of my deputies."
    assert read_report(mail(head, text)).kind == "automatic"


@pytest.mark.parametrize(
    ("head", "null", "kind"),
    [
        (f"{PERSON}\nSubject: Your order", True, "automatic"),
        (f"{PERSON}\nSubject: Your order", False, "other"),
        (f"{PERSON}\nSubject: Undeliverable: x", False, "other"),
        (f"{PERSON}\nPrecedence: list\nSubject: x", False, "other"),
        (f"{PERSON}\nX-Autoreply: no\nAuto-Submitted: no\nSubject: x", False, "other"),
        ("From: postmaster@example.net\nSubject: Your order", False, "other"),
        ("Subject: Your order", False, "other"),
    ],
)
def test_other_mail(head: str, null: bool, kind: str) -> None:
    """Only a sender that is null says that no person wrote it (RFC 5321 section 4.5.5)."""
    assert read_report(mail(head, "Hello!\n", null=null)) == Report(kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("type_", "fields", "kind"),
    [
        (
            "disposition-notification",
            "Disposition: manual-action/MDN-sent-manually; displayed",
            "receipt",
        ),
        (
            "disposition-notification",
            "Disposition: automatic-action/MDN-sent-automatically; deleted",
            "receipt",
        ),
        ("feedback-report", "Feedback-Type: abuse", "abuse"),
        ("feedback-report", "Feedback-Type: auth-failure", "abuse"),
    ],
)
@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("null", [True, False])
def test_receipts_and_complaints(
    type_: str, fields: str, kind: str, declared: bool, null: bool
) -> None:
    """RFC 8098 and RFC 5965, also where the report's type is not given."""
    report = f"; report-type={type_}" if declared else ""
    head = f'{PERSON}\nSubject: x\nContent-Type: multipart/report{report}; boundary="b"'
    body = f"--b\n\nRead.\n--b\nContent-Type: message/{type_}\n\n{fields}\n--b\n" + (
        f"Content-Type: message/rfc822\n\n{RETURNED}--b--\n"
    )
    assert read_report(mail(head, body, null=null)) == Report(kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "like", "expected"),
    [
        ("550 5.1.1 x", "", "5.1.1"),
        ("x (#4.4.1)", "", "4.4.1"),
        ("4.2.2 or 5.2.2", "5", "5.2.2"),
        ("550 x", "", "5.0.0"),
        ("450-x", "4", "4.0.0"),
        ("from 192.5.1.1 by 5.1.1.1", "", ""),
        ("Exim 4.89, sendmail 8.12.5, 250 ok 2.1.5", "", ""),
        ("2.1.5", "2", "2.1.5"),
    ],
)
def test_status_codes_are_found_in_text(text: str, like: str, expected: str) -> None:
    """Enhanced codes first, no parts of addresses or versions."""
    assert find_status(text, like) == expected


# Hostile input

SAMPLES = [
    *(dsn(fields) for fields, _ in STANDARD.values()),
    *(mail(shape.head, shape.text) for shape in WORDS.values()),
]
FIELD_NAMES = st.sampled_from(
    ["Action", "Status", "Final-Recipient", "Original-Recipient", "Diagnostic-Code", "X", ""]
)
VALUES = st.one_of(
    st.sampled_from(["failed", "delayed", "5.1.1", "smtp; 550 5.1.1 x", "rfc822;a@example.org"]),
    st.text(max_size=40),
)
LINES = st.lists(
    st.tuples(FIELD_NAMES, st.sampled_from([": ", ":", " :", "", "\n "]), VALUES).map("".join),
    max_size=30,
).map("\n".join)


def check(message: Message) -> None:
    report = read_report(message)
    assert report.kind in Report.__annotations__["kind"].__args__
    assert report.status == "" or len(report.status.split(".")) == 3
    assert len(report.diagnostic) <= 500
    assert " ".join(report.diagnostic.split()) == report.diagnostic
    report.diagnostic.encode("utf-8")
    assert len(report.recipients) <= MAX_RECIPIENTS


@given(st.binary(max_size=300), st.binary(max_size=2000), st.booleans())
def test_any_bytes_are_read(head: bytes, body: bytes, null: bool) -> None:
    """Nothing raises, and what is given is bounded."""
    names = (b"From", b"Subject", b"Content-Type", b"Auto-Submitted", b"X-Failed-Recipients")
    values = head.split(b"\n")
    headers = tuple(Header(n, v) for n, v in zip(names, values, strict=False))
    check(Message(None, (), headers, body, null=null))


@settings(max_examples=300)
@given(
    st.sampled_from(SAMPLES),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=8)), max_size=6),
    st.booleans(),
)
def test_broken_reports_are_read(
    message: Message, cuts: list[tuple[float, int, bytes]], null: bool
) -> None:
    """Real shapes with pieces cut out, doubled and put in."""
    body = message.body
    for place, length, put in cuts:
        at = int(place * len(body))
        body = body[:at] + put + body[at + length :]
    check(Message(None, (), message.headers, body, null=null))


@given(LINES)
def test_any_fields_are_read(fields: str) -> None:
    """A delivery status of any fields is a report of delivery."""
    message = dsn(fields.encode("utf-8", "surrogatepass"))
    check(message)
    assert read_report(message).kind in ("failed", "delayed", "delivered")


@pytest.mark.parametrize(
    "piece",
    [
        *(b"\r", b"\n", b"\r\n", b" \n", b" ", b"a@", b"<a@example.org", b"550 ", b"5.1.1"),
        *(b"error:\n", b"the message to ", b"had permanent ", b"deliver fail", b"<", b"<!"),
        *(b"<a b='", b"&#", b">", b"A-", b"--b\n", b"--b\nContent-Type: message/rfc822\n\n"),
        *(b"Action: failed\n", b"Status: =?utf-8?q?=?=\n", b"Diagnostic-Code: smtp; "),
        b"Final-Recipient: ((((<<<<,,,,@@@@;;;;\n",
    ],
)
@pytest.mark.parametrize(
    "type_",
    ["text/plain", "text/html", "message/delivery-status", 'multipart/report; boundary="b"'],
)
def test_hostile_repetition_takes_no_time(piece: bytes, type_: str) -> None:
    """A megabyte of one piece is read within seconds; anything quadratic would take minutes."""
    message = mail(f"{DAEMON}\nContent-Type: {type_}", piece * (1_000_000 // len(piece)))
    within(10, lambda: check(message))


@pytest.mark.parametrize("piece", [b"!", b"<", b"(", b"auto", b"=?utf-8?q?=?= ", b'"', b"deliver"])
def test_hostile_headers_take_no_time(piece: bytes) -> None:
    """Long values are only looked at in part."""
    names = (b"From", b"Subject", b"X-Failed-Recipients", b"Precedence", b"Auto-Submitted")
    value = piece * (60_000 // len(piece))
    message = Message(None, (), tuple(Header(name, value) for name in names), b"x", null=True)
    within(10, lambda: check(message))


# Test messages from elsewhere, where there are any

REPORTS = {"failed", "delayed", "delivered"}
SHARES: dict[str, tuple[set[str], float]] = {
    "dsn": (REPORTS, 0.98),
    "mdn": ({"receipt"}, 0.98),
    "arf": ({"abuse"}, 0.98),
    # Some collections count mail of persons with an empty return path among these, or bounces that
    # call themselves automatic.
    "bounce-nonstd": ({*REPORTS, "automatic"}, 0.9),
    "auto-reply": ({"automatic", *REPORTS}, 0.98),
    "message": ({"other", "automatic"}, 0.995),
}


def built_in() -> Iterator[tuple[str, Message]]:
    """Yield the messages of this file with the names that MANIFEST.tsv has for their kinds."""
    yield from (("dsn", dsn(fields)) for fields, _ in STANDARD.values())
    yield from (("bounce-nonstd", mail(s.head, s.text)) for s in WORDS.values())
    yield from (("auto-reply", mail(head, "Away.\n")) for head in ANSWERS.values())
    yield from (
        ("message", mail(f"{PERSON}\nSubject: x", shape.text, null=False))
        for shape in WORDS.values()
    )


def collected(folder: Path) -> Iterator[tuple[str, Message]]:
    """Yield the messages of a folder with their kinds."""
    names, *rows = (line.split("\t") for line in (folder / "MANIFEST.tsv").read_text().splitlines())
    for row in rows:
        entry = dict(zip(names, row, strict=False))
        yield entry["kind"], stored((folder / entry["file"]).read_bytes())


def stored(raw: bytes) -> Message:
    """Read a stored message; its Return-Path tells the envelope sender."""
    headers, body = parse(raw if b"\n" in raw.strip() else raw.replace(b"\r", b"\n"))
    path = next((h.value.strip(b" <>\t") for h in headers if h.key == b"return-path"), None)
    try:
        sender = Address.parse(path) if path else None
    except AddressError:
        sender = None
    return Message(sender, (), headers, body, null=path == b"")


def test_test_messages_are_told_apart() -> None:
    """Nearly all of each kind are taken for what they are; those of a folder too, if one is set."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in SHARES}
    for kind, message in (*built_in(), *(collected(Path(CORPUS)) if CORPUS else ())):
        found.setdefault(kind, Counter())[read_report(message).kind] += 1
    shares = {
        kind: sum(found[kind][right] for right in rights) / max(1, found[kind].total())
        for kind, (rights, _) in SHARES.items()
        if found[kind]
    }
    assert {kind: found[kind] for kind, share in shares.items() if share < SHARES[kind][1]} == {}
