"""`export`: what a person is given, with mail of all kinds, unpacked and opened in a browser."""

import email
import sys
import zipfile
from pathlib import Path

import pytest
import warm

from .axe import find_faults
from .browser import LOOKS, PHONE, Browser, unfold
from .orders import Shop


@pytest.fixture(scope="module")
def unpacked(
    filled: str, shop: Shop, hostile: Shop, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the folder with all that there is of the buyer of both stores."""
    assert shop.buyer == hostile.buyer
    home = tmp_path_factory.mktemp("person")
    config = home / "tracker.conf"
    config.write_text(f"[tracker]\ndatabase = {filled}\nsocket = unix:{home}/milter.sock\n")
    command = [sys.executable, "-m", "conversation_tracker", "-c", config, "export"]
    done = warm.run([*command, str(shop.buyer), home / "person.zip"])
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(home / "person.zip") as archive:
        archive.extractall(home / "person")
    return home / "person"


def test_one_finds_the_way_and_nobody_is_asked(browser: Browser, unpacked: Path) -> None:
    """From the first page to each of the others, their files and back, by what stands there."""
    with browser.visit(width=PHONE) as visit:
        visit.page.goto((unpacked / "index.html").as_uri())
        unfold(visit.page)
        assert visit.spills() == []
        links = visit.page.locator("a")
        names = [str(each.get_attribute("href")) for each in links.all()]
        pages = [name for name in names if name.endswith(".html")]
        assert len(pages) > 4
        assert {Path(name).suffix for name in names} == {".html", ".json", ".txt", ".eml"}
        for name in names:
            assert (unpacked / name).is_file()
        letters: list[str] = []
        for name in pages:
            visit.page.locator(f'a[href="{name}"]').click()
            assert visit.page.url.endswith(name)
            assert visit.page.locator("main").inner_text()
            there = [str(each.get_attribute("href")) for each in visit.page.locator("a").all()]
            assert {Path(link).suffix for link in there} <= {".html", ".eml"}
            for link in there:
                assert ((unpacked / name).parent / link).is_file()
            letters += [link for link in there if link.endswith(".eml")]
            visit.page.get_by_text("All orders").last.click()
            assert visit.page.url.endswith("/index.html")
            unfold(visit.page)
        assert len(letters) > 3
        assert visit.alarms == []
        own = {(unpacked / name).as_uri() for name in ["index.html", *pages]}
        assert set(visit.requests) <= {*own, "about:srcdoc"}
        assert visit.intruders() == []


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_nothing(browser: Browser, unpacked: Path, screenshots: Path, look: str) -> None:
    with browser.visit(**LOOKS[look]) as visit:
        visit.page.goto((unpacked / "index.html").as_uri())
        visit.page.screenshot(path=screenshots / f"person-{look}.png", full_page=True)
        unfold(visit.page)
        assert find_faults(visit.page) == visit.spills() == []


def test_no_other_address_is_in_any_file(unpacked: Path, shop: Shop, hostile: Shop) -> None:
    """In bytes, and in what base64 and quoted-printable of the messages hold."""
    others = {str(each).encode() for each in (shop.carrier, hostile.carrier, shop.desk)}
    files = [each for each in unpacked.rglob("*") if each.is_file()]
    assert len(files) > 100
    for file in files:
        raw = file.read_bytes().lower()
        decoded = raw
        if file.suffix == ".eml":
            parts = email.message_from_bytes(file.read_bytes()).walk()
            contents = (part.get_payload(decode=True) for part in parts)
            decoded = b"\n".join(each for each in contents if isinstance(each, bytes)).lower()
        for address in others:
            assert address not in raw + decoded, file
