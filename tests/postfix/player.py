"""Plays a case: hands its messages in and holds what leaves against what the case expects."""

import email
import re
import time
from collections.abc import Callable

from private.client import Transaction
from private.sink import Mail

from .casefile import Again, Arrives, Case, Plain, Send, Timeline, pairs
from .leaks import found_in
from .stage import CLIENT, DOMAIN, Order, Shop, Stage

_PLACE = re.compile(r"\{([^{}]*)\}")
_ANY = "\0any\0"
_BOUNCE = "\0bounce\0"
_PATTERNS = {_ANY: ".*?", _BOUNCE: r"bounce-[0-9a-f]{32}@ct\.example\.(com|net)"}
_DIRECTORY = {"alias_domain", "order_header", "active", "submitters", "unnamed_mail"}
_WATCHED = 1.2  # seconds: the tracker looks at the stores' rows twice in one


class Player:
    """One case on a stage."""

    def __init__(self, stage: Stage, case: Case) -> None:
        self.stage, self.case = stage, case
        self.shops: dict[str, Shop] = {}
        self.orders: dict[str, Order] = {}
        self.names: dict[str, str] = {}
        self.sent: Send | None = None
        self.came: list[Mail] = []
        self.scripted: list[str] = []

    def play(self) -> None:
        """Go through the steps; AssertionError with what was expected and what came."""
        try:
            self._play()
        finally:
            for address in self.scripted:
                self.stage.host.sink.reply(address)

    def _play(self) -> None:
        for step in self.case.steps:
            match step:
                case Plain(word, arguments):
                    _PLAIN[word](self, *arguments)
                case Send():
                    self._all_told()
                    self.sent = step
                    self._hand_in(step)
                case Again():
                    self._all_told()
                    assert self.sent is not None
                    self._hand_in(self.sent)
                case Arrives():
                    self._arrives(step)
                case Timeline():
                    self._timeline(step)
        self._all_told()
        self.stage.rest(list(self.shops.values()))

    def _store(self, name: str, *settings: str) -> None:
        changed = dict(pairs(settings))
        shop = self.shops[name] = self.stage.shop(**changed)
        if changed.keys() & _DIRECTORY:
            time.sleep(_WATCHED)
        self.names[name] = shop.domain

    def _set(self, name: str, *settings: str) -> None:
        self.shops[name].set(**dict(pairs(settings)))
        time.sleep(_WATCHED)

    def _order(self, number: str, *people: str) -> None:
        shop = list(self.shops.values())[-1]
        named = {name: self.resolved(address) for name, address in pairs(people)}
        self.names |= named
        self.orders[number] = shop.order(number, **named)

    def _expire(self, number: str) -> None:
        self.orders[number].expire()

    def _close(self, number: str) -> None:
        order = self.orders[number]
        self.stage.rows("SELECT tracker.close_order(%s, %s)", order.shop.name, number)

    def _sink(self, address: str, *reply: str) -> None:
        self.scripted.append(self.resolved(address))
        self.stage.host.sink.reply(self.scripted[-1], self.resolved(" ".join(reply)))

    def _verdicts(self, number: str, *verdicts: str) -> None:
        recorded = [row["verdict"] for row in self.orders[number].messages()]
        assert recorded == list(verdicts)

    def _written(self, number: str, *by: str) -> None:
        recorded = [(row["automatic"], row["auto_reply"]) for row in self.orders[number].messages()]
        kinds = {(False, False): "person", (True, False): "automatic", (True, True): "answer"}
        assert [kinds[each] for each in recorded] == list(by)

    def _hand_in(self, step: Send) -> None:
        recipients = [self.resolved(recipient) for recipient, _ in step.recipients]
        data = self._data(step)
        trusted, signed_in = step.origin == "from the store's network", step.origin == "signed in"
        assert trusted or signed_in or step.origin == "from the Internet", step.origin
        replies, self.came = self.stage.play(
            self.resolved(step.sender), recipients, data, trusted=trusted, signed_in=signed_in
        )
        self._answered(step, replies)

    def _answered(self, step: Send, replies: Transaction) -> None:
        given = [str(reply) for reply in replies.replies if reply.command.startswith("RCPT")]
        wanted = [reply or "250" for _, reply in step.recipients]
        for reply, start in zip(given, wanted, strict=True):
            assert reply.startswith(start), f"RCPT: {reply}, not {start}; {self._log()}"
        if step.data is not None:
            final, start = str(replies.final), step.final or "250"
            assert final.startswith(start), f"end of data: {final}, not {start}; {self._log()}"
        # A refusal tells nobody's address that the client did not give.
        told = "".join(given) + str(replies.final)
        asked = "".join(reply.command for reply in replies.replies).lower()
        known = [person.address for order in self.orders.values() for person in order.people()]
        assert not [each for each in known if each in told and each.lower() not in asked], told

    def _data(self, step: Send) -> bytes:
        return "".join(self.resolved(line) + "\r\n" for line in step.data or []).encode()

    def _arrives(self, step: Arrives) -> None:
        wanted = tuple(map(self.resolved, step.recipients))
        at = [mail for mail in self.came if mail.addresses == wanted]
        assert at, f"nothing left for {wanted}, but for {[mail.addresses for mail in self.came]}"
        wrong = {id(mail): self._wrong(step, mail) for mail in at}
        for mail in at:
            if not wrong[id(mail)]:
                self.came.remove(mail)
                return
        mail = at[0]
        text = mail.data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        raise AssertionError(
            f"{self.case.path.name}: copy for {', '.join(wanted)}:\n  "
            + "\n  ".join(wrong[id(mail)])
            + f"\nIt was:\nMAIL FROM:<{mail.sender.address}>\n{text}"
        )

    def _wrong(self, step: Arrives, mail: Mail) -> list[str]:
        """Return everything that is wrong with a copy."""
        wrong = []
        if not self._fits(step.sender, mail.sender.address):
            wrong.append(f"sender <{mail.sender.address}>, not <{self.resolved(step.sender)}>")
        if step.smtputf8 is not None and step.smtputf8 != ("SMTPUTF8" in mail.sender.parameters):
            wrong.append(f"SMTPUTF8 is {'not ' * step.smtputf8}asked for")
        for name in dict.fromkeys(name for name, _ in step.headers):
            given = [_unfolded(value) for value in mail.header(name)]
            values = [value for other, value in step.headers if other == name]
            fit = len(given) == len(values) and all(map(self._fits, values, given))
            if not fit:
                wrong.append(f"{name}: {given}, not {[self.resolved(each) for each in values]}")
        wrong += [
            f"{name} is there: {mail.header(name)}" for name in step.absent if mail.header(name)
        ]
        wrong += self._wrong_body(step, mail) + self._leaks(step, mail)
        return wrong

    def _wrong_body(self, step: Arrives, mail: Mail) -> list[str]:
        if step.as_sent:
            assert self.sent is not None
            same = _without_received(mail.data) == self._data(self.sent)
            return [] if same else ["not byte for byte as it was sent"]
        if step.body is None:
            return []
        lines = [_ANY if line == "..." else line for line in step.body]
        body = _decode(mail) if step.decoded else mail.body
        body = body.replace(b"\r\n ", b"") if step.unfolded else body
        wanted, given = "\n".join(lines), body.decode("utf-8", "backslashreplace")
        given = given.removesuffix("\r\n").replace("\r\n", "\n")
        return [] if self._fits(wanted, given) else [f"body, not:\n{self.resolved(wanted)}"]

    def _leaks(self, step: Arrives, mail: Mail) -> list[str]:
        """Look for everybody's address but the recipient's own, and for who sent it, if masked."""
        assert self.sent is not None
        people = [person for order in self.orders.values() for person in order.people()]
        masked = bool(mail.header("X-Conversation-Hops")) or mail.sender.address.startswith(
            "bounce-"
        )
        mine = {address.lower() for address in mail.addresses}
        words = [self.resolved(word) for word in step.never]
        if masked:
            words += [person.address for person in people if person.address.lower() not in mine]
        if masked and self.sent.origin == "from the Internet":
            words += CLIENT
        soft = [person.soft for person in people if person.soft is not None]
        return [f"it tells {word}" for word in found_in(mail.data, words, soft)]

    def _timeline(self, step: Timeline) -> None:
        rows = []
        for line in self.orders[step.order].timeline():
            status = f" ({line.said})" if line.said else ""
            who = f"{line.sender_role or 'stranger'} > {line.recipient_role or 'nobody'}"
            rows.append(f"{line.direction}  {who}  {line.state}{status}  {line.subject}")
        wanted = [re.sub(" {2,}", "  ", row.strip()) for row in step.rows]
        fit = len(rows) == len(wanted) and all(map(self._fits, wanted, rows))
        assert fit, "the timeline is\n" + "\n".join(rows) + "\nnot\n" + "\n".join(wanted)

    def _all_told(self) -> None:
        left = [f"{mail.sender.address} to {mail.addresses}:\n{mail.data!r}" for mail in self.came]
        assert not left, "this must not leave, or is not told of:\n" + "\n".join(left)

    def _fits(self, wanted: str, given: str) -> bool:
        pattern = re.escape(self.resolved(wanted))
        for place, expression in _PATTERNS.items():
            pattern = pattern.replace(re.escape(place), expression)
        return re.fullmatch(pattern, given, re.DOTALL) is not None

    def resolved(self, text: str) -> str:
        """Put what they stand for in the place of `{...}`, from the inside out."""
        while (match := _PLACE.search(text)) is not None:
            text = text[: match.start()] + self._meant(match[1]) + text[match.end() :]
        return text

    def _meant(self, place: str) -> str:
        kind, _, rest = place.partition(":")
        if kind == "repeat":
            times, _, text = rest.partition(" ")
            return text * int(times)
        if not rest:
            known = self.names | {"any": _ANY, "bounce": _BOUNCE, "domain": DOMAIN}
            return known[kind]
        who, _, number = rest.partition(" of ")
        order = self.orders[number or next(iter(self.orders))]
        if kind == "ref":
            return self.orders[rest].ref
        address = self.names.get(who, who)
        if kind == "bounce":
            return order.bounce(address)
        if kind == "identifier":
            return order.identifier(who)
        person = order.person(address)
        forms = {"alias": person.alias, "hard": person.hard, "soft": person.soft or ""}
        return forms[kind] if kind in forms else {"ALIAS": person.alias.upper()}[kind]

    def _log(self) -> str:
        return self.stage.host.tracker.log_text()[-600:]


_PLAIN: dict[str, Callable[..., None]] = {
    "TRACKER": lambda *_: None,
    "STORE": Player._store,
    "SET": Player._set,
    "ORDER": Player._order,
    "EXPIRE": Player._expire,
    "CLOSE": Player._close,
    "SINK": Player._sink,
    "VERDICTS": Player._verdicts,
    "WRITTEN": Player._written,
}


def _unfolded(value: bytes) -> str:
    return re.sub(r"\r\n(?=[ \t])", "", value.decode("utf-8", "backslashreplace")).strip()


def _decode(mail: Mail) -> bytes:
    """Read the body of a message that is no multipart, as the standard library does."""
    content = email.message_from_bytes(mail.data).get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def _without_received(data: bytes) -> bytes:
    """Drop the Received headers on top, which Postfix added."""
    return re.sub(rb"\A(Received: [^\r]*\r\n([ \t][^\r]*\r\n)*)+", b"", data)
