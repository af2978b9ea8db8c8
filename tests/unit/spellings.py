"""An address as few people write it, but anybody reads it, and the places in which it may stand."""

import base64
import quopri
from collections.abc import Callable
from urllib.parse import quote

from builders import CARRIER, SHOP, hard, order, person

JOHN, LOCAL, HOME = "john.doe@home.example", "john.doe", "home.example"
ALIAS = hard("b")
PEOPLE = order(person(JOHN, "buyer", "b" * 32), SHOP, CARRIER)


def cloudflare(address: str, key: int = 0x5A) -> str:
    """Write an address as Cloudflare does."""
    return bytes((key, *(key ^ each for each in address.encode()))).hex()


def second(link: str) -> str:
    """Write a link as version 2 of URL Defense does."""
    return quote(link, safe="").replace("%2F", "_").replace("-", "-2D").replace("%", "-")


def seven(text: str) -> str:
    """Write a text as UTF-7 does what it does not leave as it is."""
    code = base64.b64encode(text.encode("utf-16-be")).decode().rstrip("=")
    return f"+{code}-"


def double(text: str) -> str:
    """Write letters as those of another width in JIS X 0208, row 3, and signs as in row 1."""
    return "".join({"@": "!w", ".": "!%"}.get(each, f"#{each}") for each in text)


V2 = "https://urldefense.proofpoint.com/v2/url?u={}&d=Dw&c=x"
V3 = "https://urldefense.com/v3/__https://c.example/t?e=john.doe{}home.example__;{}!!Ab!x$"
LINK = "https://c.example/t?e=john.doe%40home.example&x=1"
SPELLINGS = {
    # Signs in words.
    "at": "john.doe(at)home.example",
    "at, blanks": "john.doe (at) home.example",
    "at, capitals": "JOHN.DOE (AT) HOME.EXAMPLE",
    "at and dot": "john.doe [at] home [dot] example",
    "at and dot alone": "john dot doe at home dot example",
    "all dots": "john (dot) doe (at) home (dot) example",
    "braces": "john.doe{at}home{dot}example",
    "angles": "john.doe &lt;at&gt; home &lt;dot&gt; example",
    "square at": "john.doe[@]home.example",
    "lines": "john.doe_at_home.example",
    "hyphens": "john.doe-at-home.example",
    "arroba": "john.doe arroba home punto example",
    "chez": "john.doe chez home point example",
    "at in quotation marks": "john.doe'at'home.example",
    "at in typographic marks": "john.doe \u201cat\u201d home \u201cdot\u201d example",
    "at between bars, alone in a line": "\njohn.doe|at|home.example",
    "at between bars": "john.doe |at| home.example",
    "at between hyphens and blanks": "john.doe -at- home -dot- example",
    "at in guillemets": "john.doe \u00abat\u00bb home.example",
    "at in wide brackets": "john.doe\u3010at\u3011home\uff08dot\uff09example",
    "sign between lines": "john.doe_@_home.example",
    "klammeraffe": "john.doe -Klammeraffe- home punkt example",
    "apenstaartje": "john.doe (apenstaartje) home (punt) example",
    "zavinac": "john.doe [zavin\u00e1\u010d] home [te\u010dka] example",
    "sobaka": "john.doe {\u0441\u043e\u0431\u0430\u043a\u0430} home.example",
    "tochka": "john.doe {sobaka} home {\u0442\u043e\u0447\u043a\u0430} example",
    "kukac": "john.doe (kukac) home (pont) example",
    "miukumauku": "john.doe (miukumauku) home (piste) example",
    "atto": "john.doe (\u30a2\u30c3\u30c8\u30de\u30fc\u30af) home (\u30c9\u30c3\u30c8) example",
    "at mark": "john.doe (@\u30de\u30fc\u30af) home.example",
    "at mark, wide": "john.doe\uff20\u30de\u30fc\u30afhome.example",
    "at mark in kana": "john.doe \u30a2\u30c3\u30c8\u30de\u30fc\u30af home.example",
    "at mark in kana, tight": "john.doe\u30a2\u30c3\u30c8\u30de\u30fc\u30afhome.example",
    "golbaengi": "john.doe \uace8\ubc45\uc774 home.example",
    "golbaengi, tight": "john.doe\uace8\ubc45\uc774home.example",
    "aet in Korean": "john.doe(\uc573)home.example",
    "aite": "john.doe (\u827e\u7279) home.example",
    "maimunka": "john.doe (\u043c\u0430\u0439\u043c\u0443\u043d\u043a\u0430) home.example",
    "maimunsko a": "john.doe"
    " [\u043c\u0430\u0439\u043c\u0443\u043d\u0441\u043a\u043e \u0430] home.example",
    "maimunka in Latin": "john.doe {maimunka} home.example",
    "ravlik": "john.doe (\u0440\u0430\u0432\u043b\u0438\u043a) home.example",
    "pesyk": "john.doe (\u043f\u0435\u0441\u0438\u043a) home.example",
    "slimak": "john.doe (\u0441\u043b\u0438\u043c\u0430\u043a) home.example",
    "strudel in Hebrew": "john.doe (\u05e9\u05d8\u05e8\u05d5\u05d3\u05dc) home.example",
    "krukhit": "john.doe (\u05db\u05e8\u05d5\u05db\u05d9\u05ea) home.example",
    "a keong": "john.doe (a keong) home.example",
    "a cong": "john.doe (a c\xf2ng) home.example",
    "star": "john.doe\u2605home.example",
    "white star": "john.doe\u2606home.example",
    "circle": "john.doe\u25cfhome.example",
    "bullseye": "john.doe\u25cehome.example",
    "circled a": "john.doe\u24d0home.example",
    "circled capital": "john.doe\u24b6home.example",
    "two signs": "john.doe@@home.example",
    "three signs": "john.doe @@@ home.example",
    "two wide signs": "john.doe\uff20\uff20home.example",
    "at between numbers": "john.doe#at#home.example",
    "at between carets": "john.doe^at^home.example",
    "at between percents": "john.doe%at%home.example",
    "at between angles": "john.doe>at<home.example",
    "dots between numbers": "john#dot#doe#at#home#dot#example",
    "dots between carets": "john.doe ^at^ home ^dot^ example",
    "dots between percents": "john%dot%doe@home%dot%example",
    "dots between semicolons": "john;dot;doe (at) home;dot;example",
    "at between dollars": "john.doe$$at$$home.example",
    "at between exclamation marks": "john.doe!at!home!dot!example",
    "at between dashes": "john.doe\u2014at\u2014home\u2013dot\u2013example",
    "at between middle dots": "john.doe\u00b7at\u00b7home\u00b7dot\u00b7example",
    "at between backticks": "john.doe `at` home `dot` example",
    "at between brackets that are turned": "john.doe)at(home.example",
    "at in corner brackets": "john.doe\u300cat\u300dhome\u300adot\u300bexample",
    "at in broad brackets": "john.doe\uff3bat\uff3dhome\uff5bdot\uff5dexample",
    "wrapped behind a brace": "\n} write to john.doe@\n} home.example now",
    "wrapped behind braces": "\n}}} write to john.doe\n}}} @home.example now",
    "wrapped behind a bracket": "\n] ] john.doe@\n] ] home.example",
    "wrapped behind a tilde": "\n~ john.doe (at)\n~ home.example",
    "wrapped behind a bar": "\n\u258c john.doe@\n\u258c home.example",
    "wrapped behind a bullet": "\n\u2022 john.doe@\n\u2022 home.example",
    "kissa": "john.doe ( kissanh\u00e4nt\u00e4 ) home (period) example",
    "references and quotes": "document.write('john.doe'+'&#64;'+'home.example')",
    "reference and blanks": "john.doe &#64; home.example",
    "reference in brackets": "john.doe (&commat;) home.example",
    "percent and quotes": "var a='john.doe'+'%40'+'home.example'",
    "reference in an attribute": "<a href=\"mailto:john.doe'+'&#64;'+'home.example\">x</a>",
    "words and an escaped dot": "x john.doe (at) home&#46;example x",
    "words and percent dots": "john%2Edoe (at) home%2Eexample",
    "words and script dots": "x john\\x2edoe at home\\x2eexample",
    "words behind a reference": "&lt;john.doe [at] home.example&gt;",
    "words and percent": "john.doe at home%2eexample",
    "blanks and an escaped dot": "mailto:john.doe @ home%2eexample",
    "quotes behind a reference": "&lt;john.doe'+'@'+'home.example",
    "at before an escaped quotation mark": '{"a": "x \\"john.doe (at) home.example\\" y"}',
    "at before an escaped comma": "ask john.doe (at) home.example\\, please",
    "at before a line that goes on": "write to john.doe (at) home.example\\\nBye",
    "at in marks of Markdown": "\\<john.doe (at) home.example\\>",
    "at between colons": "john.doe:at:home.example",
    "at and dots between colons": "john :dot: doe :at: home :dot: example",
    "at between slashes": "john.doe/at/home.example",
    "at and dots between slashes": "john//dot//doe //at// home/dot/example",
    "circled a, blanks": "john.doe \u24d0 home.example",
    "circled a, no width": "john.doe\u200b\u24d0\u200bhome.example",
    "circled a and escapes": "john\\.doe \u24d0 home\\.example",
    "circled a and percents": "john.doe\u24d0home%2eexample",
    "circled letters": "\u24d9\u24de\u24d7\u24dd.doe (at) home."
    "\u24d4\u24e7\u24d0\u24dc\u24df\u24db\u24d4",
    "amid ideographs": "\u8bf7john.doe (at) home.example\u8c22",
    "amid ideographs, escaped": "\u8bf7joh%256e (dot) doe (at) home (dot) example\u8c22",
    "written-out line end and mark": "john.doe (at)\\n> ho\u00adme.example",
    "colours and a quoted sign": "john.doe=40\x1b[1mhome\x1b[0m.example",
    "all quoted twice": "".join(f"=3D{ord(c):02X}" for c in JOHN),
    "squared a": "john.doe\U0001f170home.example",
    "as a form sends it": "https://c.example/?q=john.doe+at+home+dot+example&x",
    "as a form sends brackets": "https://c.example/?q=john.doe+%28at%29+home+%5Bdot%5D+example",
    "as a form sends it, alone": "john+dot+doe+at+home.example",
    "sentence before": "Hello. john.doe (at) home.example. Bye",
    # Blanks and marks.
    "starred": "john.doe**@**home.example",
    "starred, blanks": "john.doe *@* home.example",
    "blanks": "john.doe @ home.example",
    "blank before": "john.doe @home.example",
    "blank behind": "john.doe@ home.example",
    "blanks at dots": "john . doe @ home . example",
    "no-break": "john.doe\u00a0@\u00a0home.example",
    "quotes": "john.doe'@'home.example",
    "in a script": "'john.doe' + '@' + 'home.example'",
    "full width": "john.doe\uff20home.example",
    "small": "john.doe\ufe6bhome.example",
    "all full width": "".join(chr(ord(c) + 0xFEE0) if c.isalpha() else c for c in JOHN),
    "dot leader": "john\u2024doe@home\u2024example",
    "superscript": "john.doe@\u02b0ome.examp\u02e1e",
    "letter-like": "john.d\u2134\u212f@ho\u217fe.examp\u2113e",
    "squared": "\U0001f139\U0001f13e\U0001f137\U0001f13d.doe@home.example",
    "soft hyphen": "john.doe\u00ad@home.exam\u00adple",
    "no width": "john.doe\u200b (at) \u200bhome.example",
    "narrow blanks": "john.doe\u202f@\u202fhome.example",
    "blank as wide as a figure": "john.doe\u2007@home\u205f.\u205fexample",
    "surplus dots in the domain": "john.doe@home..example",
    "tag characters": "john\U000e0041.doe@\U000e007fhome.\U000e0100example",
    "fillers": "john\u3164.doe\uffa0@\u1160home.example",
    "vowels without width": "john.doe\u17b4@ho\u180bme.ex\u206aample",
    "a letter in brackets": "john.doe\u249chome.example",
    "override": "x \u202eelpmaxe.emoh@eod.nhoj\u202c x",
    "override, reference": "x &#8238;elpmaxe.emoh&#64;eod.nhoj x",
    "override, element": "x <bdo dir='rtl'>elpmaxe.emoh@eod.nhoj</bdo> x",
    "override, style": "<i style='unicode-bidi:bidi-override'>elpmaxe<b>.</b>emoh@eod.nhoj</i>",
    # Tags.
    "bold": "<bold>john.doe</bold>@home.example",
    "empty tag": "john.doe<b></b>@home.example",
    "wbr": "john.doe@<wbr>home.example",
    "mark": "<x-tad>john</x-tad>.doe<x-tad>@home.example</x-tad>",
    "tags and reference": "john.doe<b>&#64;</b>home.example",
    "tags and name": "<bold>john.doe</bold>&commat;<italic>home.example</italic>",
    "tags and words": "john.doe<b> (at) </b>home.example",
    # Over lines.
    "wrapped": "> > On Mon, John Doe <john.doe@\n> > home.example> wrote:",
    "wrapped deep": ">>>> john.doe@\n>>>> home.example",
    "wrapped before": "> john.doe\n> @home.example",
    "wrapped at a dot": "> john.doe@home.\n> example wrote",
    "wrapped oddly": "> > john.doe@\n> home.example",
    "wrapped with initials": "JD> john.doe@\nJD> home.example",
    "wrapped words": "| john.doe at\n| home dot example",
    "wrapped with a name": "Anna > john.doe@\nAnna > home.example",
    "wrapped with a name at a dot": "JD> john.doe@home\nJD> .example",
    "wrapped at the last dot": "<john.doe@home.\nexample> wrote:",
    "wrapped at the last dot, quoted": "> > <john.doe@home.\n> > example> wrote:",
    "wrapped at the last dot, before more": ">> john.doe@home.\n>> example\t> x",
    "wrapped at bars": "\u2502 john.doe@\n\u2502 home.example",
    "wrapped at bars, dot": "| | john.doe@home\n| | .example",
    "wrapped in a program": "// john.doe@\n// home.example",
    "wrapped behind an exclamation": "! john.doe\n! @home.example",
    "wrapped 60 deep": f"{'> ' * 60}john.doe\n{'> ' * 60}@\n{'> ' * 60}home.example",
    "wrapped 100 deep": f"{'>' * 100} john.doe@\n{'>' * 100} home.example",
    "wrapped in one line of markup": "john.doe@<br>&gt;&gt; home.example",
    "wrapped flowed": "> john.doe@ \n> home.example",
    "wrapped markup": "john.doe@<br>\n&gt; home.example",
    "wrapped CR": "> > john.doe@\r\n> > home.example",
    # Envelope forms.
    "verp": "https://c.example/verp/bounce+john.doe=home.example/x",
    "verp alone": "bounce-john.doe=home.example",
    # Escapes.
    "css": "content:'john.doe\\40 home.example'",
    "css, six": "content:'john.doe\\000040home.example'",
    "css, dots": "content:'john\\2e doe\\40 home\\2e example'",
    "css, all": "content:'" + "".join(f"\\{ord(c):x} " for c in JOHN) + "'",
    "script, x": "var a='john.doe\\x40home.example'",
    "script, u": "var a='john.doe\\u0040home.example'",
    "script, braces": "var a='john.doe\\u{40}home.example'",
    "script, octal": "var a='john.doe\\100home.example'",
    "script, all": "var a='" + "".join(f"\\x{ord(c):02X}" for c in JOHN) + "'",
    "rtf": "{\\rtf1 john.doe\\'40home.example }",
    "rtf, u": "{\\rtf1 john.doe\\u64?home.example }",
    "rtf, u blank": "{\\rtf1 john.doe\\u64 home.example }",
    "rtf, bold": "{\\rtf1 {\\b john.doe}@\\i0 home.example }",
    "rtf, destination": "{\\rtf1 john.doe{\\*\\foo bar}@home.example }",
    "rtf, bookmark": "{\\rtf1 john.doe@{\\*\\bkmkstart x}{\\*\\bkmkend x}home.example }",
    "rtf, nested": "{\\rtf1 john.doe@{\\*\\a {\\b x}y \\} }home{\\pict 0102}.example }",
    "rtf, hidden": "{\\rtf1 john.doe{\\v x}@\\v y\\v0 home.example }",
    "rtf, field": "{\\rtf1 {\\field{\\*\\fldinst X}{\\fldrslt john.doe}}{\\b @}home.example }",
    "rtf, destination and code": "{\\rtf1 john.doe{\\*\\foo bar}\\'40home.example }",
    "rtf, uc2": "{\\rtf1 \\uc2 john.doe\\u64??home.example }",
    "rtf, uc2, blank": "{\\rtf1 {\\uc2 john.doe\\u64 abhome.example} }",
    "rtf, uc2, codes": "{\\rtf1 \\uc2 john.doe\\u64\\'3f\\'3fhome.example }",
    "rtf, uc0": "{\\rtf1 \\uc0 john.doe\\u64 home.example }",
    "rtf, uc in groups": "{\\rtf1 \\uc0{\\uc2 john.doe\\u64??}home\\u46 example }",
    "rtf, all, own": "{\\rtf1 " + "".join(f"\\u{ord(c)}{c}" for c in JOHN) + " }",
    "rtf, all, codes": "{\\rtf1 " + "".join(f"\\u{ord(c)}\\'3f" for c in JOHN) + " }",
    "rtf, bin": "{\\rtf1 john.doe{\\bin3 abc}@home.example }",
    "rtf, full width": "{\\rtf1 john.doe\\u-224?home.example }",
    "rtf, hyphen": "{\\rtf1 john.doe\\-@home.ex\\-ample }",
    "rtf, no break": "{\\rtf1 john.doe\\~@home.example }",
    "css behind a reference": '<p style="content:&quot;john.doe&#92;40 home.example&quot;">x</p>',
    "css behind a name": '<p style="content:&quot;john.doe&bsol;40 home.example&quot;">x</p>',
    "css, line": "content:'john.doe@home.\\\nexample'",
    "script, line": "var a='john.doe\\\n@home.example'",
    "script in a tag": "document.write('<a href=\"mailto:john.doe'+'&#64;'+'home.example\">')",
    "many zeros": "john.doe&#000000000064;home.example",
    "tab in a link": '<a href="mailto:john.doe&#9;@home.&Tab;example">x</a>',
    "line in a link": '<a href="mailto:john.doe&#10;@home.&NewLine;example">x</a>',
    # Quoted-printable that nobody undid.
    "quoted twice": "john.doe=3D40home.example",
    "soft break": "john.doe@=\nhome.example",
    "soft break, before": "john.doe=\n@home.example",
    "soft break, in a word": "jo=\nhn.doe@home.exam=\nple",
    "soft break, escaped": "john.doe=40=\nhome.example",
    "soft break, blanks": "john.doe@= \t\nhome.example",
    "soft break, quoted": "> john.doe@=\n> home.example",
    "soft break, CR": "john.doe@=\r\nhome.example",
    "marks": "john.doe\u201d@\u201chome.example",
    "srcdoc": '<iframe srcdoc="&lt;p&gt;john.doe&amp;#64;home.example&lt;/p&gt;"></iframe>',
    "srcdoc, twice": '<iframe srcdoc="&lt;p&gt;john.doe&amp;amp;#64;home.example"></iframe>',
    "entity of percent": "https://c.example/?e=john.doe&#37;40home.example",
    "percent of entity": "https://c.example/?e=john.doe%26%2364%3Bhome.example",
    "thrice": "https://c.example/?u=https%253A%252F%252Fd%253Fe%253Djohn.doe%25252540home.example",
    "percent of words": "https://c.example/?e=john.doe%20(at)%20home.example",
    "utf-7": "john.doe+AEA-home.example",
    "utf-7, letters": "+AGoAbwBoAG4-.doe@home.example",
    "utf-7, the first letter": "+AGo-ohn.doe@home.example",
    "utf-7, all of it": f"x {seven(JOHN)} y",
    "utf-7, each by itself": "".join(map(seven, JOHN)),
    "utf-7, in the middle": f"j{seven('oh')}n.doe@home.e{seven('xam')}ple",
    "utf-7 of mailboxes": "john.doe&AEA-home.example",
    "all quoted": "".join(f"={ord(c):02X}" for c in JOHN),
    # Gateways.
    "url defense 1": f"https://urldefense.proofpoint.com/v1/url?u={quote(LINK, safe='')}&k=1",
    "url defense 2": V2.format(second(LINK)),
    "url defense 2, plain": V2.format("https-3A__c.example_t-3Fe-3Djohn.doe-40home.example"),
    "url defense 3": V3.format("*40", "JQ"),
    "url defense 3, sign": V3.format("*", "QA"),
    "url defense 3, tailless": V3.format("*40", ""),
    "safe links": f"https://x.safelinks.protection.outlook.com/?url={quote(LINK, safe='')}&data=05",
    "safe links of url defense": "https://x.safelinks.protection.outlook.com/?url="
    + quote(V2.format(second(LINK)), safe=""),
    "sophos": "https://eu.protection.sophos.com/?d=c.example&e="
    + base64.b64encode(JOHN.encode()).decode(),
    "barracuda": f"https://linkprotect.cudasvc.com/url?a={quote(LINK, safe='').lower()}&c=E,1",
    "cisco": f"https://secure-web.cisco.com/1abc/{quote(LINK, safe='')}",
    # Hidden by a page.
    "cloudflare": f'<a class="__cf_email__" data-cfemail="{cloudflare(JOHN)}">x</a>',
    "cloudflare, link": f'<a href="/cdn-cgi/l/email-protection#{cloudflare(JOHN, 7)}">x</a>',
    # Terminals and ISO-2022-JP.
    "colours": "owner: \x1b[1mjohn.doe@home.example\x1b[0m",
    "colours within": "\x1b[1;32mjohn.doe\x1b[0m@\x1b[33mhome.example\x1b[0m",
    "jis": "\x1b$B$*Ld$$9g$o$;\x1b(Bjohn.doe@home.example",
    "jis roman": "\x1b$B$*Ld$$9g$o$;\x1b(Jjohn.doe@home.example",
    "jis within": "john.doe\x1b(B@home.example",
    "jis katakana": "\x1b(I12\x1b(Bjohn.doe@home.example",
    "jis, nothing called": "john.doe\x1b$B\x1b(B@home.example",
    "colours, escaped": "\\e[31mjohn.doe\\e[0m@home.example",
    "link of a terminal": "\x1b]8;;mailto:john.doe@home.example\x1b\\x\x1b]8;;\x1b\\",
    "link of a terminal, shown": "x\x1b]8;;a\x1b\\john.doe@home.example",
    "double, all": f"\x1b$B{double(JOHN)}\x1b(B",
    "double, amid others": f"\x1b$B$*Ld{double(JOHN)}$$9g\x1b(B",
    "double, letters": f"\x1b$@{double('john')}\x1b(J.doe@home.example",
    "double, the sign": f"john.doe\x1b$B{double('@')}\x1b(Bhome.example",
    "double, a dot": f"john.doe@home\x1b$B{double('.')}\x1b(Bexample",
    "double, of GB 2312": "\x1b$A#j#o#h#n#.#d#o#e#@#h#o#m#e#.#e#x#a#m#p#l#e\x1b(B",
    "double, of KS X 1001": "\x1b$(C#j#o#h#n\x1b(B.doe@home.example",
    "jis row 13": "\x1b$B-!-j$*\x1b(Bjohn.doe@home.example",
}


def typed(
    type: str, encode: Callable[[bytes], bytes] = bytes, code: str = "8bit"
) -> Callable[[str], bytes]:
    """Put a text into a body of some type."""
    head = f"From: {JOHN}\nContent-Type: {type}\nContent-Transfer-Encoding: {code}\n\n".encode()
    return lambda text: head + encode(f"Hello\n{text}\nBye\n".encode())


def field(name: str, pattern: str = "{}") -> Callable[[str], bytes]:
    """Put a text into a header field."""
    author = "" if name == "From" else f"From: {JOHN}\n"
    return lambda text: f"{author}{name}: {pattern.format(text)}\n\nHello\n".encode()


def part_field(pattern: str) -> Callable[[str], bytes]:
    """Put a text into a field of a part."""
    head = f"From: {JOHN}\nContent-Type: multipart/mixed; boundary=b\n\n--b\n"
    return lambda text: f"{head}{pattern.format(text)}\n\nHello\n--b--\n".encode()


BODIES = {
    "plain": typed("text/plain; charset=utf-8"),
    "plain, quoted-printable": typed(
        "text/plain; charset=utf-8", quopri.encodestring, "quoted-printable"
    ),
    "plain, base64": typed("text/plain; charset=utf-8", base64.encodebytes, "base64"),
    "html": typed("text/html; charset=utf-8"),
    "html, quoted-printable": typed(
        "text/html; charset=utf-8", quopri.encodestring, "quoted-printable"
    ),
    "enriched": typed("text/enriched; charset=utf-8"),
    "rtf": typed("text/rtf"),
    "application/rtf": typed("application/rtf"),
    "unknown": typed("text/x-unknown"),
    "untyped": typed("application/octet-stream"),
    "json": typed("application/json"),
    "css": typed("text/css"),
    "headers": typed("text/rfc822-headers"),
    "a report": typed("message/delivery-status"),
    "called a card": typed("text/vcard; charset=utf-8"),
    "cp50220": typed("text/plain; charset=cp50220"),
    "iso-2022-jp": typed("text/plain; charset=iso-2022-jp"),
    "iso-2022-jp-ms": typed("text/html; charset=iso-2022-jp-ms"),
    "flowed": typed("text/plain; charset=utf-8; format=flowed; delsp=yes"),
    "called latin-1": typed("text/plain; charset=iso-8859-1"),
    "called Cyrillic": typed("text/html; charset=koi8-r"),
    "called latin-1, beside it": typed(
        "text/plain; charset=windows-1252", lambda data: data + b"caf\xe9 \x9d\n"
    ),
    "calendar": lambda text: typed("text/calendar; charset=utf-8")(
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDESCRIPTION:"
        + text.replace("\n", "\\n")
        + "\\nBye\nEND:VEVENT\nEND:VCALENDAR"
    ),
}
FIELDS = {
    "Subject": field("Subject"),
    "a name": field("To", '"{}" <x@stranger.example>'),
    "the author's name": field("From", f'"{{}}" <{JOHN}>'),
    "a comment": field("To", "x@stranger.example ({})"),
    "a description": part_field("Content-Description: {}"),
    "a file name": part_field('Content-Disposition: attachment; filename="{}"'),
}
