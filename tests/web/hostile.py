"""What hostile mail writes into a page: markup, scripts, signs nobody sees, words without an end.

Each text that would run, if it ran, says so on the console or opens a dialog, which a visit takes
for an alarm; each address leads to a host of its own below `trap.HOST`.
"""

from .trap import HOST


def address(label: str, path: str = "x.png") -> str:
    """Return an address of which the trap sees by which way it was asked for."""
    return f"http://{label}.{HOST}/{path}"


RAN = "console.error('it ran')"
MARKUP = [
    f"<script>{RAN}</script>",
    f'"><img class=intruder src=x onerror="{RAN}">',
    f'\'><svg class=intruder onload="{RAN}">',
    f"</title></style></textarea></template></script><script class=intruder>{RAN}</script>",
    f'" autofocus onfocus="{RAN}" class="intruder" x="',
    f"javascript:{RAN}//",
    "{{ 7 * 191 }} {% raw %} ${7*191} <%= 7*191 %>",
    "</article></main></body></html><h1 class=intruder>Sign in again</h1>",
    "<!--",
    "&lt;b class=intruder&gt; &#60;b&#62; &amp;amp;",
    "]]><b class=intruder>",
]
BIDI = "\u202egpj.exe\u202c \u2066\u2067\u200f\u061c\u200ehidden\u2069"
WORD = "supercalifragilistic" * 60
COMBINED = "z" + "\u0310\u0352\u0349" * 200
FORMULA = "=HYPERLINK(1)\t+1 -1 @SUM(1)"
ALIASES = "jane@else.example-207700027841b.ct.example.com " + "0123456789abcdef" * 2
UNSEEN_SIGNS = "\ufeff\u200b\u2028\u2029\u00ad"
TEXTS = [*MARKUP, ALIASES, BIDI, WORD, COMBINED, FORMULA, UNSEEN_SIGNS, "W" * 400]
RAW = [b"nul \x00 in it", b"lone \xed\xa0\x80 surrogate", b"\xff\xfe\x80 no UTF-8", b"\x1b[31m\x07"]
"""What a header has as octets, which are no text."""

# Ways by which HTML has a browser ask for something while it is only looked at.
WAYS = {
    "img": '<img src="{}">',
    "srcset": '<img srcset="{} 1x, {} 2x">',
    "picture": '<picture><source srcset="{}"><img alt=""></picture>',
    "background": '<table background="{}"><tr><td>x</td></tr></table>',
    "style-url": '<p style="background: url({})">x</p>',
    "style-escaped": '<p style="background: u\\72l({})">x</p>',
    "image-set": "<p style=\"background-image: image-set('{}' 1x)\">x</p>",
    "list-style": '<ul><li style="list-style-image: url({})">x</li></ul>',
    "border-image": '<p style="border: 1px solid; border-image: url({}) 1">x</p>',
    "css-import": "<style>@import url({});</style>",
    "sheet-url": "<style>p {{ background: url({}) }}</style><p>x</p>",
    "font": "<style>@font-face {{ font-family: f; src: url({}) }} p {{ font: 1em f }}</style><p>x",
    "sheet": '<link rel="stylesheet" href="{}">',
    "icon": '<link rel="icon" href="{}">',
    "prefetch": '<link rel="prefetch" href="{}">',
    "preload": '<link rel="preload" as="image" href="{}">',
    "modulepreload": '<link rel="modulepreload" href="{}">',
    "preconnect": '<link rel="preconnect" href="{}">',
    "dns-prefetch": '<link rel="dns-prefetch" href="{}">',
    "iframe": '<iframe src="{}"></iframe>',
    "srcdoc": '<iframe srcdoc="<img src={}>"></iframe>',
    "object": '<object data="{}"></object>',
    "embed": '<embed src="{}">',
    "svg-image": '<svg><image href="{}" width="9" height="9"/></svg>',
    "svg-filter": '<svg><filter id="f"><feImage href="{}"/></filter><rect filter="url(#f)"/></svg>',
    "poster": '<video poster="{}"></video>',
    "video": '<video src="{}" autoplay muted></video>',
    "audio": '<audio src="{}" preload="auto"></audio>',
    "source": '<video autoplay muted><source src="{}"></video>',
    "input": '<form><input type="image" src="{}"></form>',
    "script": '<script src="{}"></script>',
    "body": '<body background="{}">',
}
UNSEEN = {"icon"}
"""Nobody asks for these in a browser without a window."""
AHEAD = {"preconnect", "dns-prefetch"}
"""These ask for a name or a connection alone, and no policy of a page forbids it."""
# These need a script or a click, or take the whole page with them.
OTHERS = {
    "refresh": '<meta http-equiv="refresh" content="0; url={}">',
    "base": '<base href="{}"><img src="of-base.png">',
    "form": f'<form action="{{}}" name="f"></form><script>{RAN}; f.submit()</script>',
    "ping": '<a href="#x" ping="{}">ping</a>',
    "link": '<a href="{}">link</a>',
    "target": '<a href="{}" target="_top" rel="opener">link</a>',
    "download": '<a href="{}" download>link</a>',
    "map": '<img usemap="#m" alt=""><map name="m"><area href="{}" coords="0,0,9,9" alt="x"></map>',
    "onload": f"<img src=x onerror=\"{RAN}; new Image().src='{{}}'\">",
    "frameset": '<frameset><frame src="{}"></frameset>',
}

ACTING = {"refresh", "base", "form", "onload"}
"""Those that need no click."""


def find_missing(shown: str) -> list[str]:
    """Return which of `MARKUP` is not in a text that is shown, blanks aside."""
    plain = " ".join(shown.split())
    return [each for each in MARKUP if " ".join(each.split()) not in plain]


def ask(ways: dict[str, str]) -> str:
    """Return HTML that asks for something in each of these ways."""
    return "".join(
        f"<div>{snippet.format(*[address(label)] * 2)}</div>\n" for label, snippet in ways.items()
    )


BROKEN = [
    b"<p>open <b><i>never </p></b> closed <table><tr><td>in <div></table></span></td>after",
    b"<" * 5000,
    b"<div>" * 5000 + b"deep",
    b"<!DOCTYPE html><html><head><title>x</title><body><p>\xff\xfe not UTF-8 \x00 NUL</p>",
    b"<table>" * 300 + b"<p>in tables",
    b'<p style="position:fixed; inset:0; width: 9999px; font-size: 900px">over all</p>',
    b"<p>" + WORD.encode() + b"</p><pre>" + b"x" * 5000 + b"</pre>",
    b'<a href="JaVaScRiPt:console.error(\'it ran\')">a</a><a href="data:text/html,<b>">b</a>',
    b"<svg><script>console.error('it ran')</script></svg>",
    b"<math><mtext><table><mglyph><style><img class=intruder src=x onerror='console.error(7)'>",
]
