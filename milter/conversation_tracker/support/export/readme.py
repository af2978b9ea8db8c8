"""README.txt of an export: for somebody who knows nothing of the product."""

from collections.abc import Iterable
from datetime import datetime

_TEXT = """\
WHAT THIS IS

This archive is a copy of the e-mail conversations in which the address

    {address}

takes part, as they were stored on {made} by the company that
gave you this archive, or by a company that runs its mail for it. You
have a right to it: in the European Union by Article 15 of the General
Data Protection Regulation (GDPR).


WHERE TO BEGIN

1. Unpack the archive. (On Windows: right click, "Extract all". On a
   Mac: double click.)
2. Open index.html by a double click. It opens in your web browser and
   leads to everything else. Nothing is loaded from the internet.


WHY YOUR ADDRESS DOES NOT STAND IN THE MESSAGES

When you order something, a shop has to write about it to others: the
carrier, the bank, a marketplace. So that they need not learn your
address, each of you gets an "alias" for that order. An alias is an
address too, a long one that is made up. This one is an example, and
nobody's:

    3c4969015d73402094375035dae6e03a@ct.example.com

Mail to your alias is passed on to you, until a date that index.html
tells for each order. After it, mail to the alias is refused. The
messages are stored with aliases only, so the stored text differs from
what you saw in your mailbox in this one respect: where your own
address stood, your alias stands. index.html says for each order which
alias is yours. All other aliases stand for other people; their
addresses are theirs, and are not in here.


THE FILES

index.html          the list of everything, to read in a web browser
about-you.json      the same facts in a form for programs: your orders,
                    addresses and aliases; when your orders were looked
                    up or your address was shown to somebody, and why;
                    technical identifiers of mail that you sent
README.txt          this text
orders/             a folder for each order, named by a number, the
                    shop and the order's number

In the folder of an order:

conversation.html   all messages, the oldest first, to read in a web
                    browser. Long conversations have several such
                    files, conversation-01.html and so on. You are the
                    customer there, if you ordered
conversation.json   the same for programs, with what became of each
                    message (delivered, returned, refused)
messages/           each message as a file that ends in .eml, with its
                    attachments. Mail programs open these:
                    Thunderbird, Outlook, Apple Mail. Open attachments
                    with the care that any attachment needs


WHAT IS STORED UNTIL WHEN, AND WHY

Your address        in each order until the date that index.html tells,
                    so that mail about the order reaches you. Then it
                    is deleted from the order
Messages            {retention}
                    so that the shop can look up what was written about
                    an order. They stay when your address has been
                    deleted from the order, under the alias
Notes that your     without an end. They protect you: whoever looks
orders were looked  must leave a trace. In these notes there is a code
up, or your         in place of your address, from which nobody can
address was shown   read the address
A note that this    without an end, for the same reason
copy was made
If you have your    such a code, so that it can be deleted again if
address deleted     the data must be put back from a backup that still
                    has it. The code is deleted when no backup can have
                    your address any more


WHAT IS NOT IN HERE

- What the shop knows about you besides this e-mail: your name and
  postal address, what you bought, how you paid. Ask the shop for it.
- Orders whose date has passed. Your address is deleted from them, so
  nobody can find them by it, this program neither. Their messages are
  stored for the time told above, under the alias. If you know the
  number of such an order, ask for it by the number.
- Other spellings of your address that count as another address, such
  as name+shop@example.com beside name@example.com. index.html says if
  there are any, and is silent if not. Ask for each by itself. Capital
  letters make no difference, nor do dots before the @ at Gmail.
- What others wrote to each other, in orders in which you are not the
  customer. There you find what you wrote, and what was sent to you.
- Attachments that held somebody's address, in which no alias could
  be put. A note stands in their place, or "not kept" behind the name.
- Messages that were refused. Only their subject is stored, and why
  they were refused.
- The names of employees who looked up your orders, or were shown your
  address. When they did is in index.html, and the reason they gave for
  being shown your address.
- Copies that are made for the case of damage (backups), and the log
  files of mail servers. They are kept for a short time, and not
  searched.


WHOM TO ASK

The company that gave you this archive, or the shop that an order
names. The program that wrote the archive does not know how to reach
them: look at the letter that the archive came with. You may ask them
to correct what is wrong, to delete your address (and the messages that
you wrote or got, too), or to stop using your data; and you may complain
to the data protection authority of your country.
"""


def write_readme(address: str, made: datetime, retentions: Iterable[str]) -> str:
    """Write the text, with the line ends that every system's editor shows.

    Args:
        address: the person's.
        made: when.
        retentions: for how long the stores concerned keep a message.
    """
    spans = sorted(set(retentions))
    retention = (
        f"for {' or '.join(spans)} after they came," if spans else "for a time the shop sets,"
    )
    text = _TEXT.format(address=address, made=f"{made:%-d %B %Y}", retention=retention)
    return text.replace("\n", "\r\n")
