"""What tells cheaply that nothing is to be masked, held against masking all the same.

Each way an address may be written has such a test before it. A plan that is made with none of them
must be the same plan: what they say is absent is not found by looking, either.
"""

import random
from dataclasses import replace
from typing import Any

import pytest
from builders import BUYER, A
from hypothesis import example, given, settings
from hypothesis import strategies as st

import oracle
import targets
from conversation_tracker.core.masking.address import quote_marks
from conversation_tracker.core.masking.address.mask import Masker
from conversation_tracker.core.masking.header import part_header
from conversation_tracker.core.masking.part import calendar, leaf, uuencoded_files
from conversation_tracker.core.masking.text import absence as text_absence
from conversation_tracker.core.masking.text import (
    encoded,
    escapes,
    html_nodes,
    obfuscated,
    rare_spellings,
)
from conversation_tracker.core.model.conversation import Conversation
from conversation_tracker.core.model.message import Message
from conversation_tracker.core.model.plan import Plan
from conversation_tracker.core.model.store import Store
from conversation_tracker.core.scanning.text import (
    decodings,
    deep_scan,
    known_texts,
    quotation,
)
from conversation_tracker.core.views import absence
from conversation_tracker.core.views.reader_mask import ReaderMask
from limits import Broken

TOLD = [
    *((each, "possible", True) for each in (obfuscated, encoded, escapes, Masker, ReaderMask)),
    *((each, "may_change", True) for each in (Masker, ReaderMask)),
    (Masker, "stands_wide_in", True),
    (rare_spellings, "may_hide", True),
    *((part_header, name, False) for name in ("_says_nothing", "_name_nobody", "_is_clean")),
    *((leaf, name, True) for name in ("_readable", "_possible")),
    (calendar, "_is_clean", False),
    (calendar, "_may_identify", True),
    (calendar, "_may_cross_breaks", True),
    (html_nodes, "_read_plain", None),
    (html_nodes.Markup, "read_near", None),
    (uuencoded_files, "may_stand_in", True),
    (absence, "names_nobody", False),
    (absence, "text_names_nobody", False),
    (text_absence, "text_names_nobody", False),
    (deep_scan, "shows_nothing", False),
    (quotation, "parts_address", True),
    (quote_marks, "may_hold_marked", True),
    (decodings, "_may_hold_sign", True),
    (known_texts.KnownTexts, "find_differences", None),
]


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """Have each plan of the fuzzer made once more, told nothing."""
    real, plans = oracle.planned, list[Plan]()

    def planned(message: Message, conversation: Conversation, own: Store | None) -> Plan:
        done = real(message, conversation, own)
        with monkeypatch.context() as patch:
            for place, name, value in TOLD:
                patch.setattr(place, name, lambda *_a, _value=value, **_k: _value)
            again = real(replace(message), conversation, own)
        assert repr(again) == repr(done)
        plans.append(done)
        return done

    monkeypatch.setattr(oracle, "planned", planned)
    return plans


@pytest.mark.parametrize("target", [targets.message, targets.rare])
def test_what_is_told_to_be_absent_is_not_found(target: Any, compared: list[Plan]) -> None:
    choose = random.Random(f"{target.__name__}")
    for _ in range(12):
        try:
            target(choose.randbytes(choose.randrange(10, 400)))
        except Broken:  # what else the fuzzer asks is not the question here
            continue
    assert compared


@given(st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le"]), st.sampled_from(["", "To: "]))
def test_header_lines_in_wide_characters_are_masked(codec: str, name: str) -> None:
    """Null bytes hide a domain from who looks for its letters."""
    block = f"{name}{BUYER}\r\n".encode(codec)
    text = part_header.mask_header(block, Masker({BUYER: A})).decode(codec)
    assert BUYER not in text
    assert A in text


HEAD = "https://urldefense.proofpoint.com/v2/url?u="
LINKS = st.lists(
    st.sampled_from(
        [
            *(
                HEAD,
                HEAD,
                f"{HEAD}http-3A__x.example_-3Fe-3D",
                "urldefense.com/v2/url?k=1&u=",
                "&d=Dw",
            ),
            *("john.doe", "john", "-2Edoe", "-40", "-2540", "@", "home", ".example", "-2Eexample"),
            *(
                "-68ome",
                "ho-6De",
                "-26-2364-3B",
                "-26commat-3B",
                "-26shy-3B",
                "-26shyhome",
                "ho-3Cb-3E",
            ),
            *(
                "-5Cx40",
                "-2BAEA-2D",
                "-1B-28B",
                "-0E",
                "-28at-29",
                "-20dot-20",
                "-3D6d",
                "-E2-80-8B",
            ),
            *(
                "-252",
                "-2525",
                "%40",
                "=40",
                "&#64;",
                "&amp;d=",
                "-3D",
                "_",
                "-",
                "me",
                " ",
                "\n",
                "x",
            ),
            *(
                "-26-2343-3BAEA-2D",
                "-26plus-3BAEA-2D",
                "IMCEASMTP-2D",
                "-2B40",
                "-EF-BC-A0",
                "\u200b",
                "\u00fc",
            ),
        ]
    ),
    max_size=12,
).map(lambda some: HEAD + "".join(some))


@settings(max_examples=1000, deadline=None)
@given(LINKS)
@example(f"{HEAD}john.doe-2540home.example&d=")
@example(f"{HEAD}http-3A__x.example_john.doe-40ho-26shy-3Bme.example&d=")
@example(f"{HEAD}john.doe-2BAEA-2Dhome.example&amp;d=")
@example(f"{HEAD}john.doe-26-2343-3BAEA-2Dhome-2Eexample&d=")
@example(f"{HEAD}john.doe-5CU00000040home-2Eexample&d=")
@example(f"{HEAD}john.doe-40ho-26shyme-2Eexample&d=")
@example(f"{HEAD}john.doe-40home&shy;.example&d=")
@example(f"{HEAD}a&d= {HEAD}{HEAD.replace('_', '-5F')}john.doe-2540home.example&d=")
def test_no_link_of_a_gateway_that_shows_somebody_is_passed_over(text: str) -> None:
    """Where one is passed over, reading all of the text as it means changes nothing."""
    finder = Masker({"john.doe@home.example": A})
    if rare_spellings.mask_readings(text, finder, tagged=False) == text:
        assert rare_spellings._mask_readings(text, finder, deep=True, tagged=False) == text
