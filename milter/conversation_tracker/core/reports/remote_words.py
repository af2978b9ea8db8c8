"""What a report quotes of the remote server, taken out of the reporting server's own words.

A server that gives up tells what the other one said last, and that may sound like a delay:
"temporarily deferred, will be retried". So its own words decide first, without the quoted ones.
Nothing here raises; time is linear in the text's length.
"""

import re

# A quote begins: an SMTP reply, words that announce one, an address with a colon behind it.
_BEGINS = re.compile(
    r"(?:^|[:>(\[\]},] ?|<{1,3}-{0,2} |['\"])[45][0-5][0-9][ -]#?\S"
    r"|(?:^|[:>] )#?[45]\.[0-7]\.[0-9]"
    r"|\b(?:said|replied|answered|responded|returned was|error was|reason(?: was)?|response"
    r"|diagnostic(?: information|-code)?|smtp error from [^:]{0,80}) ?:"
    r"|^\W{0,3}[^\s@<>\"]{1,64}@[A-Za-z0-9.-]{1,253}+[>\"']{0,2}:",
    re.IGNORECASE,
)
# Within a paragraph, the reporting server speaks again.
_ENDS = re.compile(
    r"warning: |(?:we |the (?:server|system) |it )?will (?:keep|continue|retry|try)"
    r"|(?:your |the )?message (?:could not|will be|not delivered)"
    r"|(?:further )?(?:delivery )?attempts |giving up|i'm not going"
    r"|this message has been|this is a permanent",
    re.IGNORECASE,
)


def cut(text: str) -> str:
    """Take the words of the remote server out of a report's text.

    Args:
        text: the lines before the returned message, stripped.

    Returns:
        The text without what is quoted: each quote goes on to the end of its paragraph, or to
        where the reporting server speaks again.
    """
    kept: list[str] = []
    quoted = False
    for line in text.split("\n"):
        if quoted and line and not _ENDS.match(line):
            continue
        begins = _BEGINS.search(line)
        quoted = begins is not None
        kept.append(line[: begins.start()] if begins else line)
    return "\n".join(kept)
