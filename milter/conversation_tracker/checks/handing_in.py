"""Hands a message to the running Postfix, as a client of this host."""

import smtplib
import ssl
from collections.abc import Sequence

from conversation_tracker.base import timeouts
from conversation_tracker.postfix.settings import MasterService, Settings


def hand_in(
    place: tuple[MasterService, str, int],
    settings: Settings,
    sender: str,
    recipients: Sequence[str],
    data: bytes,
) -> str:
    """Hand a message in, and return the reply that ended it, or why there was none.

    Args:
        place: the service, and the host and port where it is.
        settings: Postfix's.
        sender: the envelope's, "" for the null sender.
        recipients: the envelope's; the first that is refused ends it.
        data: the message.
    """
    service, host, port = place
    try:
        with smtplib.SMTP(
            host, port, settings.get_value("myhostname"), timeout=timeouts.get().check_smtp_seconds
        ) as server:
            server.ehlo_or_helo_if_needed()
            if settings.get_value("smtpd_tls_security_level", service) == "encrypt":
                # Whom we speak to, we know: there is nothing to verify on one's own host.
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                server.starttls(context=context)
                server.ehlo()
            code, text = server.mail(f"<{sender}>")
            for recipient in recipients:
                if code < 400:
                    code, text = server.rcpt(recipient)
            if code < 400:
                code, text = server.data(data)
    except smtplib.SMTPResponseException as error:
        return f"{error.smtp_code}"
    except (OSError, smtplib.SMTPException) as error:
        return type(error).__name__
    return f"{code} {text.decode('ascii', 'replace')}"
