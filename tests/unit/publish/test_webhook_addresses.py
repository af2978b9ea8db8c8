"""Which addresses a webhook may go to, however they are spelled."""

import re
from ipaddress import ip_address
from pathlib import Path

import pytest

from conversation_tracker.publish.webhooks.addresses import Reach, is_own, judge
from conversation_tracker.publish.webhooks.destination import (
    Unsendable,
    choose_addresses,
    read_url,
    resolve,
)

PUBLIC = [
    "168.63.129.15",
    "168.63.129.17",
    "1.1.1.1",
    "9.255.255.255",
    "11.0.0.1",
    "100.63.255.255",
    "100.128.0.1",
    "126.255.255.255",
    "128.0.0.1",
    "169.253.255.255",
    "172.15.255.255",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.255.255",
    "198.17.255.255",
    "198.20.0.1",
    "223.255.255.255",
    "2001:4860:4860::8888",
    "2001:200::1",
    "2003::1",
    "2606:4700::1111",
    "2a00:1450::1",
    "::ffff:1.1.1.1",
    "64:ff9b::1.1.1.1",
]
INWARD = [
    "168.63.129.16",  # what machines at Azure have their certificates from
    "10.0.0.1",
    "100.64.0.1",
    "100.127.255.255",
    "127.0.0.1",
    "127.255.255.254",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.170",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1.1.1.1",
    "100::1",
    "2001::1",  # Teredo
    "2001:0:7f00:1::",
    "2001:db8::1",
    "2002:7f00:1::1",  # 6to4
    "2002:101:101::1",
    "3fff::1",
    "4000::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fec0::1",
]
NOWHERE = [
    "0.0.0.0",
    "0.1.2.3",
    "224.0.0.1",
    "239.255.255.255",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::ffff:0.0.0.0",
    "64:ff9b::0.0.0.0",
    "ff02::1",
]


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        *((each, Reach.PUBLIC) for each in PUBLIC),
        *((each, Reach.INWARD) for each in INWARD),
        *((each, Reach.NOWHERE) for each in NOWHERE),
    ],
)
def test_an_address_is_judged_by_where_it_leads(address: str, reach: Reach) -> None:
    assert judge(ip_address(address)) is reach


def choose(url: str, *found: str, allow: bool = False) -> list[str]:
    return choose_addresses(
        read_url(url), allow_private=allow, resolver=lambda _host, _port: list(found)
    )


def refuse(why: str, url: str, *found: str, allow: bool = False) -> None:
    with pytest.raises(Unsendable) as caught:
        choose(url, *found, allow=allow)
    assert caught.value.why == why


@pytest.mark.parametrize("address", INWARD)
def test_inward_only_where_it_is_allowed(address: str) -> None:
    refuse("private-address", "https://a.example/", address)
    assert choose("https://a.example/", address, allow=True) == [address]


@pytest.mark.parametrize("address", NOWHERE)
def test_nowhere_never(address: str) -> None:
    refuse("private-address", "https://a.example/", address)
    refuse("private-address", "https://a.example/", address, allow=True)


def test_one_inward_address_of_a_name_refuses_all() -> None:
    refuse("private-address", "https://a.example/", "1.1.1.1", "10.0.0.1")
    refuse("private-address", "https://a.example/", "10.0.0.1", "1.1.1.1")
    refuse("private-address", "https://a.example/", "1.1.1.1", "fe80::1%eth0")
    assert choose("https://a.example/", "1.1.1.1", "2606:4700::1") == ["1.1.1.1", "2606:4700::1"]


def test_without_tls_only_inward() -> None:
    refuse("not-https", "http://a.example/", "1.1.1.1")
    refuse("not-https", "http://a.example/", "1.1.1.1", allow=True)
    refuse("not-https", "http://a.example/", "10.0.0.1", "1.1.1.1", allow=True)
    refuse("private-address", "http://a.example/", "10.0.0.1")
    assert choose("http://a.example/", "10.0.0.1", allow=True) == ["10.0.0.1"]


def test_a_name_without_addresses() -> None:
    refuse("no-address", "https://a.example/")
    with pytest.raises(Unsendable):
        choose_addresses(read_url("https://nobody.invalid./"), allow_private=True)


@pytest.mark.parametrize(
    "host",
    [
        "127.1", "127.0.1", "0x7f.1", "0x7f000001", "0X7F.0.0.1", "2130706433", "017700000001",
        "0177.0.0.1", "127.0.0.1", "127.0.0.1.", "localhost", "LOCALHOST", "localhost.",
        "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
        "[::127.0.0.1]", "[64:ff9b::7f00:1]", "10.1", "0xa9fea9fe", "2852039166",
    ],
)  # fmt: skip
def test_no_spelling_leads_inside(host: str) -> None:
    """By the system's own resolver, which knows more spellings than anybody remembers."""
    with pytest.raises(Unsendable) as caught:
        choose_addresses(read_url(f"https://{host}/"), allow_private=False)
    assert caught.value.why in ("private-address", "no-address")


@pytest.mark.parametrize(
    "url",
    [
        "", "https://", "https:///x", "https:/a.example/", "//a.example/", "ftp://a.example/",
        "HTTPS://a.example/", "file:///etc/passwd", "gopher://a.example/", "https://u@a.example/",
        "https://u:p@a.example/", "https://a.example@127.0.0.1/", "https://a.example:0/",
        "https://a.example:65536/", "https://a.example:/", "https://a.example:080/",
        "https://a.example:8a/", "https://a.example?x", "https://a.example#x",
        "https://a.example/#x", "https://a.example\\@127.0.0.1/", "https://a.example/\\x",
        "https://a.example/ x", "https://a.example/\n", "https://a.example/\r\nX: y",
        "https://a.example/\0", "https://a\N{FULLWIDTH FULL STOP}example/",
        "https://\N{FULLWIDTH DIGIT ONE}27.0.0.1/", "https://caf\xe9.example/",
        "https://%31%32%37.0.0.1/", "https://[::1/", "https://::1/", "https://[fe80::1%25eth0]/",
        "https://[v1.x]/", "https://[1.2.3.4]:x/", "https://[:::]/",
        "https://a.example/" + "x" * 2000,
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_webhook_goes_nowhere(url: str) -> None:
    with pytest.raises(Unsendable, match="bad-url"):
        read_url(url)


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://A.Example", "a.example", "/"),
        ("https://a.example:443/x?y=z", "a.example", "/x?y=z"),
        ("https://a.example:8443//b/../c", "a.example:8443", "//b/../c"),
        ("http://a.example:80/", "a.example", "/"),
        ("http://a.example:443/", "a.example:443", "/"),
        ("https://[2001:DB8::1]:444/", "[2001:db8::1]:444", "/"),
        ("https://xn--caf-dma.example/", "xn--caf-dma.example", "/"),
        ("https://a.example/@b:c", "a.example", "/@b:c"),
    ],
)
def test_a_url_is_taken_apart(url: str, origin: str, target: str) -> None:
    destination = read_url(url)
    assert (destination.origin, destination.target) == (origin, target)


def test_the_hosts_own_addresses_are_inward_whatever_they_are() -> None:
    assert is_own("127.0.0.1")
    # As the kernel lists them: a host without a network may not find its own name.
    listed = re.findall(r"\|-- (\S+)\s+/32 host LOCAL", Path("/proc/net/fib_trie").read_text())
    assert listed
    for address in {*listed, *resolve("127.0.0.1", 443)}:
        assert is_own(address)
    assert not is_own("1.1.1.1")
