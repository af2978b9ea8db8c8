"""Returned mail that is no delivery status notification: recognised by its words.

Servers that are older than RFC 3464, or do not care, report a failure in running text alone:
Exim, qmail, Sendmail, Exchange, Domino, GroupWise, MDaemon, and the large providers. All know
some of the same words. Whether a message may be a report at all is decided in `report`: a person
who quotes one uses the same words. Nothing here raises; time is linear in the text's length.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from conversation_tracker.core.model.address import Address, AddressError
from conversation_tracker.core.reports import remote_words
from conversation_tracker.core.reports.delivery_status import (
    Outcome,
    distinct,
    find_status,
    one_line,
)

MAX_TEXT = 32_768
"""Characters of a text that are looked at: the reason stands before the returned message."""

# Where the returned message begins. Its own words must not be taken for the server's.
_RETURNED = re.compile(
    r"^(?:(?:received|return-path) ?:"
    r"|\W*(?:original (?:message|mail)(?: (?:follows|headers?|details|attached|info))?\W*$"
    r"|(?:this is|here is|below this line is|below the next line is|enclosed is|included is)"
    r" (?:a|the|your) (?:copy|returned)"
    r"|the headers? of the original"
    r"|(?:start of )?(?:returned|unsent|undelivered) (?:message|mail)\b"
    r"|(?:old|your|original|returned|unsent|message|mail|the)(?: \w+)? (?:text |headers? )?"
    r"follows?\b"
    r"|message (?:headers?|text|contents?)\b|forwarded message|a copy of (?:the|your)))",
    re.IGNORECASE,
)
_TRANSCRIPT = re.compile(r"transcript|session|reason|error", re.IGNORECASE)

# Only programs write these.
_DELAYED = re.compile(
    r"not yet been delivered|has been delayed|delivery (?:is )?delayed|warning (?:message )?only"
    r"|do not need to resend|(?:message|gmail|server) will (?:be retried|retry)"
    r"|attempts will continue|(?:will|we'll) (?:keep|continue)(?: to)? (?:try|attempt|deliver)"
    r"|we(?: will|'ll) retry|(?:is|was|has been) deferred"
    r"|still (?:being retried|undelivered)|delivery incomplete|has been postponed"
    r"|transient non-fatal errors|could not send (?:message|mail) for (?:the )?past"
    r"|no action is required on your|only a temporary failure|delayed for more than"
    r"|temporarily (?:delayed|deferred)|noch nicht zugestellt|en attente de remise"
)
# A failure that speaks of the delay before it; not what will be, once a server has tried enough.
_GIVEN_UP = re.compile(
    r"(?<!if )this is a permanent error|permanent (?:fatal|delivery) errors|failed permanently"
    r"|permanently failed|(?<!before )(?<!without )giving up|(?:have|has|i've) given up"
    r"|(?:been|is) in the queue too long|not (?:going to )?try again"
    r"|will not be retried(?! (?:after|if))|no further (?:delivery )?attempts"
    r"|could not be delivered (?:with)?in \d|will be deleted from queue"
    r"|(?:is|was|has) (?:now |been )?(?:returned|expired)\b|expired in the queue"
)
_DELIVERED = re.compile(
    r"had successful delivery|successfully (?:delivered to|relayed)"
    r"|was successfully delivered|successful mail delivery"
)
_FAILED = re.compile(
    r"this is the qmail-send program|wasn't able to deliver (?:your|the following) message"
    r"|this is a permanent error|this message was created automatically by (?:the )?mail delivery"
    r"|could not be delivered to (?:one or more|the following|these|some)"
    r"|had (?:permanent|delivery|fatal|unrecoverable)[a-z -]{0,40}(?:errors?|problems?)"
    r"|did not reach the following recipient|delivery has failed to these"
    r"|deli?very to the following (?:recipient|address)[a-z()]{0,4}"
    r" (?:has )?(?:permanently )?(?:failed|was aborted)"
    r"|(?:recipients?|address(?:es|\(es\))?) (?:failed\b|did not receive|could not be reached)"
    r"|recipients? (?:were|was) affected|unable to deliver (?:your |the )?(?:message|mail)"
    r"|(?:not able|unable|failed) to deliver (?:the )?(?:message|mail|following)"
    r"|here is your list of failed recipients|failed recipients?\b|failed addresses follow"
    r"|error (?:was detected|has occurred|occurred) while attempting to deliver"
    r"|error delivering your mail|sorry to have to inform you that (?:the|your) message"
    r"|user (?:mailbox )?exceeds allowed size|has encountered delivery problems"
    r"|transcript of session follows|session transcript"
    r"|(?:your|the) message (?:to \S{1,320} )?(?:couldn't|could not|can ?not|can't) be delivered"
    r"|was automatically rejected|message that you sent was rejected"
    r"|address(?:es)? (?:you entered )?(?:couldn't|could not) be found"
)
_FAILED_LOOSELY = re.compile(
    r"(?:not|n't|never|un)[ -]?(?:be |been |able to be )?deliver(?:ed|able)"
    r"|deliver(?:y|ing)[a-z ]{0,30}(?:fail|error|problem|impossible|unsuccessful)"
    r"|fail(?:ed|ure)[a-z ]{0,30}deliver|not deliver|user unknown|unknown user|no such user"
    r"|mailbox (?:is )?(?:full|unavailable|disabled|not found)|over quota|quota exceeded"
    r"|returned (?:to sender|mail|message)|(?:permanent|fatal) (?:error|failure)"
    r"|address (?:rejected|unknown)|invalid (?:user )?(?:recipient|address)"
    r"|rejected (?:by|your|the message|recipient)|error sending your|trouble deliver"
    r"|expired in the queue"
    r"|unzustellbar|nicht (?:zugestellt|zustellbar|ausgeliefert)|konnte nicht (?:an|zu)"
    r"|n'a (?:pas )?pu être (?:remis|distribu|achemin|délivr|transmi)|non remis"
    r"|échec de (?:la )?remise"
    r"|no (?:se )?(?:pudo|puede|ha podido|ha sido) (?:ser )?entrega|no entregado"
    r"|non è stato possibile (?:consegnare|recapitare)|mancat[oa] (?:recapito|consegna)"
    r"|não (?:pôde|foi possível|pode)(?: ser)? entreg|kon niet worden (?:afgeleverd|bezorgd)"
    r"|nie (?:może|mogła|mogło|można|udało)[a-zęą ]{0,20} (?:dostarcz|doręcz)"
    r"|не (?:может быть|была?|удалось) доставл|недоставлен|не доставлено"
    r"|送信(?:できません|に失敗)|配信(?:できません|不能|に失敗)|届けることができません|无法(?:投递|送达)|退信"
)
_FAILED_SUBJECT = re.compile(
    r"\W{0,10}(?:mail |message |e-?mail |nachricht )?"
    r"(?:undeliver|non[- ]?deliver|not delivered"
    r"|(?:mail |message |e-?mail )?(?:delivery )(?:has )?(?:fail|error|problem)"
    r"|delivery (?:status )?notification\W*(?:\(?fail|delivery has failed)"
    r"|delivery status notification\W*$|failure[ _](?:notice|delivery)|delivery_failure|failed mail"
    r"|returned (?:mail|e-?mail|message|to)|mail (?:system )?(?:failure|error)|mail could not"
    r"|delivery (?:status|report)\W*$|message you sent (?:blocked|rejected)|permanent delivery"
    r"|unzustellbar|nicht zustellbar|fehler bei der|zustellung|échec|non remis|remise impossible"
    r"|no se (?:puede|pudo) entregar|no entregado|mancat|non recapitabile|não entregue"
    r"|onbestelbaar|niet afgeleverd|nie można dostarczyć|ваше сообщение не|недоставлен"
    r"|.{0,40}(?:送信|配信|配送)(?:できません|不能|に失敗))",
    re.IGNORECASE,
)
_DELAYED_SUBJECT = re.compile(
    r"\W{0,10}(?:delayed mail|warning(?:: (?:message|mail)|\W{1,4}could not send)"
    r"|(?:mail |message )?delivery (?:delayed|deferred|warning)"
    r"|(?:mail )?delivery status notification\W{1,3}(?:delay|incomplete|warning)|message delayed"
    r"|delivery delay|could not send (?:message|mail) for (?:the )?past)",
    re.IGNORECASE,
)
_DELIVERED_SUBJECT = re.compile(
    r"\W{0,10}(?:successful mail delivery|delivered:|delivery status notification\W{1,3}"
    r"(?:success|relay|expanded)|delivery report \(success)",
    re.IGNORECASE,
)

# An SMTP reply, at a place where servers put it.
_SAID = re.compile(
    r"(?:(?:^|[:>(\[\]}] ?|<{1,3}-{0,2} |['\"])(?=[45][0-5][0-9][ -]#?\S)"
    r"|(?:^|[:>] )(?=#?[45]\.[0-7]\.[0-9]))"
    r"([^\n]+)",
    re.MULTILINE,
)
_REASON = re.compile(
    r"\b(?:reason|error|description|diagnostic information|error was|because(?: of)?"
    r"|automatically rejected)(?: ?:|\n)\s*"
    r"(\S[^\n]*)",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?<![^\s<\"'(\[:=])[^\s@<>()\[\]\"':;,]{1,64}@[A-Za-z0-9.-]{1,253}")
_BEHIND_ADDRESS = re.compile(
    r"^\W{0,3}[^\s@<>\"]{1,64}@[A-Za-z0-9.-]{1,253}+[>\"']{0,2}:?"
    r"(?: on [A-Z][a-z]{2}, [^\n]*)?[ \t]*(?:\n(?!\n))?"
    r"([^\n<>@]{4,}[^\n]*)",
    re.MULTILINE,
)
_BEFORE_ADDRESS = re.compile(
    r"^(\w+(?: [^\s:]+){2,20}):[ \t]*<?[^\s@<>]{1,64}@[A-Za-z0-9.-]{1,253}>?$", re.MULTILINE
)
_LINE_END = re.compile(r"\r+\n?|\n")
_LAST = re.compile(
    r"\s*$|<<<|>>>|giving up|while talking|<[^<>@]{1,64}@|--|i'm not going", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class BounceReason:
    """What a text says: the outcome, and what is known of the reason ("" if nothing)."""

    outcome: Outcome | None
    status: str
    diagnostic: str
    recipients: tuple[Address, ...]


def read_bounce(text: str, subject: str, *, loosely: bool) -> BounceReason:
    """Read the text of what may be returned mail.

    Args:
        text: readable text of the message, without the returned one where that is a part of its
            own.
        subject: the decoded subject.
        loosely: a mail system wrote this, so words that anybody might use count as well.

    Returns:
        What it says; its outcome is None if it is no report.
    """
    shown = cut_original(text)
    words = _simplify(shown)
    own = _simplify(remote_words.cut(shown))
    diagnostic = _find_diagnostic(shown).strip(" .,;:-'\"")
    status = find_status(diagnostic) or _drop_imprecise_code(find_status(words))
    outcome = _find_outcome(own, subject, loosely=loosely) or _find_outcome(
        words, "", loosely=loosely
    )
    return BounceReason(outcome, status, one_line(diagnostic), distinct(_find_addresses(shown)))


def cut_original(text: str) -> str:
    """Return the lines before the returned message, stripped, without those that are quoted."""
    kept: list[str] = []
    for line in _LINE_END.split(text[:MAX_TEXT]):
        line = line.strip()
        if kept and len(line) < 200 and _RETURNED.match(line) and not _TRANSCRIPT.search(line):
            break
        if not line.startswith(">") or line.startswith(">>>"):
            kept.append(line)
    return "\n".join(kept)


def _drop_imprecise_code(status: str) -> str:
    """Drop a code that a number in running text may only look like."""
    return "" if status.endswith(".0.0") else status


def _simplify(text: str) -> str:
    """Return text in lower case on one line, with ASCII apostrophes."""
    return " ".join(text.lower().replace("\u2019", "'").split())


def _find_outcome(words: str, subject: str, *, loosely: bool) -> Outcome | None:
    """Judge by words, and by the subject that the same server wrote ("" if another did)."""
    delayed = _DELAYED.search(words) and not _GIVEN_UP.search(words)
    if delayed or _DELAYED_SUBJECT.match(subject):
        return "delayed"
    if _FAILED.search(words):
        return "failed"
    if _DELIVERED_SUBJECT.match(subject) or _DELIVERED.search(words):
        return "delivered"
    if _FAILED_SUBJECT.match(subject) or (loosely and _FAILED_LOOSELY.search(words)):
        return "failed"
    return None


def _find_diagnostic(shown: str) -> str:
    """Find what the remote said: an SMTP reply, else a reason, else what stands by an address."""
    if said := _SAID.search(shown):
        return _take_paragraph(shown, said.start(1))
    if reason := _REASON.search(shown):
        return _take_paragraph(shown, reason.start(1))
    if behind := _BEHIND_ADDRESS.search(shown):
        return _take_paragraph(shown, behind.start(1))
    before = _BEFORE_ADDRESS.search(shown)
    return before[1] if before else ""


def _take_paragraph(shown: str, start: int) -> str:
    """Return the text from `start` to the end of its paragraph, or to the next topic."""
    lines = shown[start : start + 2_000].split("\n")
    end = next((i for i, line in enumerate(lines) if i and _LAST.match(line)), len(lines))
    return "" if _LAST.match(lines[0]) else " ".join(lines[:end])


def _find_addresses(shown: str) -> Iterator[Address]:
    for match in _ADDRESS.finditer(shown):
        try:
            yield Address.parse(match[0].rstrip("."))
        except AddressError:
            continue
