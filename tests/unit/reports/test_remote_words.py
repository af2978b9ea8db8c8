"""What the remote server said, quoted in a report, does not decide; the reporting server does."""

import pytest
from returned import DAEMON, RETURNED, mail

from conversation_tracker.core.reports import remote_words
from conversation_tracker.core.reports.report import read_report

TEMPORARY = [
    "421 4.7.0 Messages from 192.0.2.25 temporarily deferred due to user complaints",
    "452 4.2.2 mailbox full; message will be retried later",
    "451 4.7.1 Greylisting in action, delivery has been delayed; please come back later",
    "450-4.2.0 Your message has not yet been delivered.\n450 4.2.0 We will keep trying, no action "
    "is required on your part",
    "451 temporary problem: transient non-fatal errors, delivery attempts will continue",
]
"""What remote servers say that a mail is refused by for days, until the sending server gives up."""

FAILED = {
    "qmail": (
        "From: MAILER-DAEMON@example.net\nSubject: failure notice",
        "Hi. This is the qmail-send program at example.net.\nI'm afraid I wasn't able to deliver "
        "your message to the following addresses.\nThis is a permanent error; I've given up. Sorry "
        "it didn't work out.\n\n<john@example.org>:\nConnected to 192.0.2.1 but sender was "
        "rejected.\nRemote host said: {}\nI'm not going to try again; this message has been in the "
        "queue too long.\n\n--- Below this line is a copy of the message.\n\n",
    ),
    "exim": (
        f"{DAEMON}\nSubject: Mail delivery failed: returning message to sender",
        "This message was created automatically by mail delivery software.\n\nA message that you "
        "sent could not be delivered to one or more of its\nrecipients. This is a permanent error. "
        "The following address(es) failed:\n\n  john@example.org\n    host mx.example.org "
        "[192.0.2.1]\n    SMTP error from remote mail server after RCPT TO:<john@example.org>:\n"
        "    {}:\n    retry timeout exceeded\n\n"
        "------ This is a copy of the message, including all the headers. ------\n\n",
    ),
    "gmail": (
        "From: Mail Delivery Subsystem <mailer-daemon@googlemail.com>\n"
        "Subject: Delivery Status Notification (Failure)",
        "Delivery to the following recipient failed permanently:\n\n     john@example.org\n\n"
        "Technical details of permanent failure:\nGoogle tried to deliver your message, but it was "
        "rejected by the server for the recipient domain. The error that the other server returned "
        "was:\n{}\n\n----- Original message -----\n\n",
    ),
    "dma": (
        "From: MAILER-DAEMON <>\nSubject: Mail delivery failed",
        "This is the DragonFly Mail Agent v0.13 at mx.example.net.\n\nThere was an error "
        "delivering your mail to <john@example.org>.\n\nRemote host said: {}\n\n"
        "Message headers follow.\n\n",
    ),
    "opensmtpd": (
        "From: Mailer Daemon <MAILER-DAEMON@example.net>\n"
        "Subject: Delivery status notification: error",
        "Hi!\n\nThis is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\nAn error has "
        "occurred while attempting to deliver a message for\nthe following list of recipients:\n\n"
        "john@example.org: {}\n\nBelow is a copy of the original message:\n\n",
    ),
    "yahoo": (
        "From: MAILER-DAEMON@yahoo.com\nSubject: Failure Notice",
        "Sorry, we were unable to deliver your message to the following address.\n\n"
        "<john@example.org>:\n{}\n\n--- Below this line is a copy of the message.\n\n",
    ),
    "sendmail without a status part": (
        f"{DAEMON}\nSubject: Returned mail: Cannot send message within 5 days",
        "The original message was received at Mon, 1 Jan 2001 00:00:00 +0000\n\n   ----- The "
        "following addresses had permanent fatal errors -----\n<john@example.org>\n\n"
        "   ----- Transcript of session follows -----\n<<< {}\n"
        "Message could not be delivered for 5 days\nMessage will be deleted from queue\n\n"
        "   ----- Original message follows -----\n\n",
    ),
    "apache james": (
        "From: MAILER-DAEMON@mx.example\nSubject: Re:Your order",
        "Error: Invalid user address\n\nError message below:\n{}\n\nMessage details:\n"
        "  Subject: Your order\n  MAIL FROM: shop@example.net\n  RCPT TO: john@example.org\n",
    ),
    "a gateway that had trouble": (
        "From: mailer-daemon\nSubject: There was an error sending your mail",
        "We had trouble delivering your message. Full details follow:\n\n1 error(s):\n\nSMTP "
        "Server <mx.example> rejected recipient <john@example.org> (Error following RCPT command). "
        "It responded as follows: [{}]\n\nThe attachment contains the original mail headers.\n",
    ),
    "a queue that expired": (
        f"{DAEMON}\nSubject: Expired: Your order",
        "Your message to john@example.org expired in the queue. Last error: {}\n",
    ),
    "interscan, in japanese": (
        'From: "InterScan MSS" <mailer-daemon@mx.example>\n'
        "Subject: =?iso-2022-jp?B?GyRCJWElQyU7ITwlOCRyR1s/LiRHJC0kXiQ7JHMhIxsoQg==?=",
        "...\n\n\nSent <<< RCPT TO:<john@example.org>\nReceived >>> {}\n\n...\n",
    ),
    "postfix before RFC 3464": (
        f"{DAEMON}\nSubject: Undelivered Mail Returned to Sender",
        "I'm sorry to have to inform you that your message could not\nbe delivered to one or more "
        "recipients.\n\n<john@example.org>: host mx.example.org[192.0.2.1] said: {} (in reply to "
        "RCPT TO command)\n\n",
    ),
}


@pytest.mark.parametrize("said", TEMPORARY)
@pytest.mark.parametrize(("head", "text"), FAILED.values(), ids=FAILED.keys())
def test_a_failure_that_quotes_a_delay_is_a_failure(head: str, text: str, said: str) -> None:
    """A server that gives up says so itself; the last words of the other one are its reason."""
    report = read_report(mail(head, text.format(said) + RETURNED))
    assert report.kind == "failed"
    assert report.status[:1] == "4"
    assert not report.in_words


DELAYED = {
    "opensmtpd": (
        "From: Mailer Daemon <MAILER-DAEMON@example.net>\n"
        "Subject: Delivery status notification: warning",
        "A message is delayed for more than 10 minutes for the following\nlist of recipients:\n\n"
        "john@example.org: {}\n\nPlease note that this is only a temporary failure report.\n"
        "You DO NOT NEED to re-send the message to these recipients.\n\n",
    ),
    "sendmail": (
        f"{DAEMON}\nSubject: Warning: could not send message for past 4 hours",
        "    **********************************************\n    **      THIS IS A WARNING MESSAGE "
        "ONLY      **\n    **  YOU DO NOT NEED TO RESEND YOUR MESSAGE  **\n\n"
        "   ----- Transcript of session follows -----\n{}\nWarning: message still undelivered "
        "after 4 hours\nWill keep trying until message is 5 days old\n\n",
    ),
    "sendmail, half hours and a subject of its own": (
        f"{DAEMON}\nSubject: Mail failure report",
        "Could not send mail for past 8.5 hours.\n\n   ----- Transcript of session follows -----\n"
        "<<< {}\n\n",
    ),
    "with dashes behind the warning, and nothing of it in the text": (
        "From: Mail Deliver System <MAILER-DAEMON@mx.example>\n"
        "Subject: Warning--Could not send mail for past 8.5 hours",
        "The original message was received at Mon, 1 Jan 2001 00:00:00 +0900 (JST)\nfrom "
        "shop@example.net\n\n---The following addresses had delivery errors---\n\n"
        "john@example.org [{}]\n\n",
    ),
    "exim": (
        f"{DAEMON}\nSubject: Warning: message 1aB-0001 delayed 24 hours",
        "A message that you sent has not yet been delivered to one or more of its\nrecipients "
        "after more than 24 hours on the queue on mx.example.net.\n\n  john@example.org\n    host "
        "mx.example.org [192.0.2.1]\n    Delay reason: {}\n\nNo action is required on your part. "
        "Delivery attempts will continue for\nsome time. Eventually the mail delivery software "
        "will give up,\nand when that happens, the message will be returned to you.\n",
    ),
    "a server of few words": (
        f"{DAEMON}\nSubject: Mail delivery deferred",
        "Delivery to john@example.org was deferred. It said: {}\nWe'll continue to try.\n",
    ),
    "a queue, without a reason": (
        f"{DAEMON}\nSubject: Your order",
        "Your message to john@example.org is queued. We will retry for 4 days. It said: {}\n",
    ),
    "exchange online": (
        f"{DAEMON}\nSubject: Message delivery delayed: Your order",
        "Delivery to john@example.org did not succeed yet.\n\nRemote server returned '{}'\n",
    ),
    "zoho": (
        "From: mailer-daemon@mail.example\nSubject: Mail Delivery Status Notification (Delay)",
        "----- The following addresses had fatal errors -----\n"
        "[Address: <john@example.org>, {}]\n\n"
        "Message will be retried for 4 more day(s)\n",
    ),
}
FUTURE = [
    "has been delayed. The server will keep trying for 5 days before giving up.",
    "is delayed: delivery is delayed to john@example.org. We will keep trying. You get another "
    "mail if there is a permanent failure.",
    "has been delayed. It will not be retried after 5 days.",
    "could not be delivered to john@example.org yet.\nReason: mailbox is full.\nWe will keep "
    "trying for 3 days.",
    "was not delivered.\nError was: 452 full\nYour message will be retried for 2 days.\nDelivery "
    "attempts will continue.",
]
ENDED_IT = [
    "has been delayed for 5 days and is now returned as undeliverable.",
    "has been delayed and has now expired. It could not be delivered.",
    "has not yet been delivered. I have given up.",
]


@pytest.mark.parametrize("said", FUTURE)
def test_what_a_server_will_do_later_is_no_failure(said: str) -> None:
    """It says when it will give up; it has not."""
    head = f"{DAEMON}\nSubject: Delivery Status Notification"
    assert read_report(mail(head, f"Your message {said}\n\n{RETURNED}")).kind == "delayed"


@pytest.mark.parametrize("said", ENDED_IT)
def test_what_a_server_has_done_is_a_failure(said: str) -> None:
    """Though it tells of the delay before."""
    head = f"{DAEMON}\nSubject: Delivery Status Notification"
    assert read_report(mail(head, f"Your message {said}\n\n{RETURNED}")).kind == "failed"


PERMANENT = [
    "550 5.1.1 <john@example.org>: User unknown, delivery failed",
    "554 this is a permanent error, giving up",
    "Network error on destination MXs",
]


@pytest.mark.parametrize("said", PERMANENT)
@pytest.mark.parametrize(("head", "text"), DELAYED.values(), ids=DELAYED.keys())
def test_a_delay_that_quotes_a_failure_is_a_delay(head: str, text: str, said: str) -> None:
    """A server that goes on trying has not failed, whatever the other one said this time."""
    assert read_report(mail(head, text.format(said) + RETURNED)).kind == "delayed"


def test_a_delay_that_only_the_remote_tells_is_a_delay() -> None:
    """Where the reporting server says nothing, what it quotes is all there is."""
    text = "<john@example.org>: 451 4.7.1 temporarily deferred\n\n"
    assert read_report(mail(f"{DAEMON}\nSubject: Your mail", text)).kind == "delayed"


ENDED = "Your mail sent on: Mon\n     Could not be delivered to: <john@example.org>\n"


@pytest.mark.parametrize(
    "author",
    [
        "no-reply@example.net",
        "Mail <noreply@example.net>",
        "no_reply-mail@example.net",
        "do-not-reply@example.net",
        "donotreply@example.net",
        "post_master@example.net",
        "Post Master <post.master@example.net>",
    ],
)
def test_mail_returned_by_nobody_is_a_report(author: str) -> None:
    """A null sender that returns a message is a mail system, if its name takes no answers."""
    head = f'From: {author}\nSubject: Mail\nContent-Type: multipart/mixed; boundary="b"'
    text = f"--b\n\n{ENDED}\n--b\nContent-Type: message/rfc822\n\n{RETURNED}--b--\n"
    assert read_report(mail(head, text)).kind == "failed"


@pytest.mark.parametrize(
    ("head", "null"),
    [
        ("From: no-reply@example.net\nSubject: Your mail", True),
        ("From: Jane <jane@example.net>\nSubject: Mail", True),
        ("From: no-reply@example.net\nSubject: Mail", False),
        ("From: no-reply@example.net\nAuto-Submitted: auto-replied\nSubject: Mail", False),
    ],
)
def test_other_mail_of_such_a_name_is_no_report(head: str, null: bool) -> None:
    """Not without a returned message, with a sender who can be notified, or from a person."""
    text = f"--b\n\n{ENDED}\n--b\nContent-Type: message/rfc822\n\n{RETURNED}--b--\n"
    if "Subject: Your mail" in head:
        text = f"--b\n\n{ENDED}\n--b--\n"
    message = mail(f'{head}\nContent-Type: multipart/mixed; boundary="b"', text, null=null)
    assert read_report(message).kind in ("automatic", "other")


@pytest.mark.parametrize("mark", ["Auto-Submitted: auto-replied", "Precedence: auto_reply"])
@pytest.mark.parametrize("text", ["We have received your message.", ENDED])
def test_a_confirmation_of_such_a_name_is_automatic(mark: str, text: str) -> None:
    """It returns what it confirms, and is marked; or says nothing of a failure."""
    head = (
        f"From: no-reply@help.example\n{mark}\nSubject: Ticket 7\nContent-Type: multipart/mixed; "
    )
    body = f"--b\n\n{text}\n--b\nContent-Type: message/rfc822\n\n{RETURNED}--b--\n"
    assert read_report(mail(f'{head}boundary="b"', body)).kind == "automatic"


def test_an_unmarked_confirmation_of_such_a_name_is_automatic() -> None:
    head = "From: no-reply@help.example\nSubject: Ticket 7\nContent-Type: multipart/mixed; "
    head += 'boundary="b"'
    text = "We have received your message."
    body = f"--b\n\n{text}\n--b\nContent-Type: message/rfc822\n\n{RETURNED}--b--\n"
    assert read_report(mail(head, body)).kind == "automatic"


def test_a_firm_of_such_a_name_is_no_mail_system() -> None:
    head = (
        "From: Post Master Ltd <desk@shop.example>\nAuto-Submitted: auto-replied\nSubject: Parcel"
    )
    assert read_report(mail(head, "Your parcel was returned to sender.\n")).kind == "automatic"


def test_the_reporting_server_is_heard_again_behind_a_quote() -> None:
    """A quote ends with its paragraph, or where words stand that only the reporting server says."""
    text = (
        "Sorry.\nRemote host said: 421 later\nmuch later\nI'm not going to try\n\nBye\n4.7.0 x\nno"
    )
    assert remote_words.cut(text).split("\n") == [
        "Sorry.",
        "Remote host ",
        "I'm not going to try",
        "",
        "Bye",
        "",
    ]
