"""F21: hostile bytes on both streams: kept and downloaded as they are, shown on the page as harmless text."""

from __future__ import annotations

import hashlib
import json
import random
import re
from html.parser import HTMLParser

import pytest

from tests.fault.bounds import start, wait
from tests.fault.scale import SEED, count
from tests.process.page import Page

pytestmark = pytest.mark.fault

ESC, BEL, ST = b"\x1b", b"\x07", b"\x1b\\"
CORPUS: dict[str, bytes] = {
    "nothing but NUL": b"\0" * 300,
    "UTF-16 mark": b"\xff\xfeh\0i\0",
    "UTF-8 mark": b"\xef\xbb\xbfmarked",
    "half a character at the end": "grün".encode()[:-2],
    "a character cut by the end of a page of memory": b"x" * 4095 + "€".encode(),
    "a character cut at 16 KiB": b"x" * 16383 + "€".encode() + b"y",
    "a character cut at 64 KiB": b"x" * 65534 + "€€".encode(),
    "a character cut at 256 KiB": b"x" * (256 * 1024 - 1) + "😀".encode() * 3,
    "lone surrogates": b"\xed\xa0\x80\xed\xbf\xbf",
    "overlong forms": b"\xc0\xaf\xe0\x80\xaf\xf0\x80\x80\xaf",
    "beyond Unicode": b"\xf4\x90\x80\x80\xf8\x88\x80\x80\x80",
    "noncharacters": "\ufffe\uffff\ufdd0".encode(),
    "Latin-1": "Grüße aus Köln".encode("latin-1"),
    "UTF-16": "Grüße".encode("utf-16"),
    "UTF-32": "Grüße".encode("utf-32"),
    "Shift JIS": "日本語".encode("shift_jis"),
    "GB 18030": "中文".encode("gb18030"),
    "progress bar": b"".join(b"\r%3d%%" % n for n in range(101)),
    "carriage returns only": b"one\rtwo\rthree\r",
    "DOS lines": b"one\r\ntwo\r\n",
    "backspaces": b"pass\b\b\b\bword",
    "form feeds and vertical tabs": b"a\fb\vc",
    "bells": BEL * 50,
    "colours": ESC + b"[31;1mred" + ESC + b"[0m",
    "true colour": ESC + b"[38;2;255;0;0mred" + ESC + b"[m",
    "endless parameters": ESC + b"[" + b"1;" * 2000 + b"m",
    "clear screen": ESC + b"[2J" + ESC + b"[H" + ESC + b"c",
    "cursor moves": ESC + b"[10A" + ESC + b"[999C" + ESC + b"[s" + ESC + b"[u",
    "title": ESC + b"]0;owned" + BEL,
    "title without an end": ESC + b"]0;owned",
    "hyperlink": ESC + b"]8;;javascript:alert(1)" + ST + b"click" + ESC + b"]8;;" + ST,
    "clipboard": ESC + b"]52;c;ZWNobyBvd25lZA==" + BEL,
    "answerback": ESC + b"[c" + ESC + b"[6n" + ESC + b"Z",
    "device control": ESC + b"P+q544e" + ST,
    "private message": ESC + b"^hidden" + ST + ESC + b"_hidden" + ST + ESC + b"Xhidden" + ST,
    "8-bit controls": b"\x9b31mred\x9d0;t\x9c\x90q\x9c",
    "8-bit controls in UTF-8": "\x9b31mred\x9d0;t\x9c".encode(),
    "sixel": ESC + b"Pq#0;2;0;0;0#0~~@@" + ST,
    "alternate screen": ESC + b"[?1049h" + ESC + b"[?25l",
    "character sets": ESC + b"(0lqqk" + ESC + b"(B\x0e\x0f",
    "a lone escape": b"end" + ESC,
    "escape after escape": ESC * 100,
    "script": b"<script>alert(1)</script><img src=x onerror=alert(1)>",
    "end of its element": b"</pre></code></textarea></script>--><!-- <![CDATA[",
    "entities": b"&lt;script&gt; &#x3c;b&#62; &amp;amp; &notanentity",
    "quotes": b"\"'`${7*7}{{7*7}}{%raw%}#{1+1}<%= 1 %>",
    "JSON breakers": b'"}]\\u2028 \xe2\x80\xa8\xe2\x80\xa9',
    "right to left": "\u202egnp.exe\u202c \u2066x\u2069".encode(),
    "zero width": "a\u200b\u200d\ufeff\u2060b".encode(),
    "combining": ("Z" + "\u0335\u0321\u0489" * 300).encode(),
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈".encode(),
    "a log line of ours": b"[2026-01-01 00:00:00] [ERROR] The scheduler has failed",
    "our own record": b"end 0 0 0\npid 1 1\nrefused\n",
    "CSV formulas": b"=cmd|' /C calc'!A0\n+1\n@SUM(1)",
    "a terminal's answer as input": b"\x1b[200~rm -rf /\n\x1b[201~",
    "no line end": b"no line end",
    "line ends only": b"\n" * 5000,
    "one long line": b"x" * 300_000,
    "every byte": bytes(range(256)) * 65,
    "every pair": bytes(b for a in range(256) for c in range(0, 256, 5) for b in (a, c)),
    "an archive": b"\x1f\x8b\x08\x00" + bytes(range(200)),
}
#: Control characters that no page may hold, except line end and tab.
FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Terminal(HTMLParser):
    """Takes the text of the elements that show an output, and what elements stand inside of them."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.texts: list[str] = []
        self.inside: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._tag:
            self.inside.append(tag)
        elif "data-output-text" in dict(attrs):
            self._tag = tag
            self.texts.append("")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._tag:
            self._tag = ""

    def handle_data(self, data: str) -> None:
        if self._tag:
            self.texts[-1] += data


def test_hostile_bytes_are_kept_exactly_and_shown_harmlessly(lab, claims):
    chance = random.Random(SEED)
    corpus = {name: b"begin\n" + data + b"\nend-of-case\n" for name, data in CORPUS.items()}
    for number in range(count("HOSTILE_RANDOM", 4, 400)):
        corpus[f"random {number}"] = b"begin\n" + chance.randbytes(chance.randrange(1, 60_000)) + b"\nend-of-case\n"
    runs: dict[str, int] = {}
    with lab.running():
        for number, (name, data) in enumerate(corpus.items()):
            (lab.home / f"case-{number}").write_bytes(data)
            runs[name] = start(
                lab, f"case {number}", f"cat case-{number}; cat case-{number} >&2", directory=str(lab.home)
            )
        rows = {name: wait(lab, run) for name, run in runs.items()}
    wrong = [f"{name}: {row['state']} {row['reason']}" for name, row in rows.items() if row["state"] != "succeeded"]
    page = Page(lab)
    try:
        for name, run in runs.items():
            for stream in ("stdout", "stderr"):
                wrong += [f"{name}, {stream}: {words}" for words in judge(page, run, stream, corpus[name])]
    finally:
        page.kill()
    claims.none_of("F21", "hostile outputs changed, cut or let through", 6 * len(corpus), wrong)


def judge(page: Page, run: int, stream: str, data: bytes) -> list[str]:
    """Return what is wrong with how an output is downloaded and shown."""
    wrong = []
    if page.download(f"/runs/{run}/download/{stream}") != data:
        wrong.append("the download differs")
    html = page.download(f"/runs/{run}?stream={stream}").decode()
    terminal = Terminal()
    terminal.feed(html)
    shown = "".join(terminal.texts)
    if FORBIDDEN.search(html):
        wrong.append(f"the page holds {FORBIDDEN.findall(html)[:5]}")
    # Where the middle is left out of a page, an element of the page's own says so; no output has such a one.
    if set(terminal.inside) - {"span"}:
        wrong.append(f"elements stand in the output: {terminal.inside[:5]}")
    # What follows an escape sequence that never ends is part of it, as in a terminal.
    if "begin" not in shown or ("end-of-case" not in shown and b"\x1b]" not in data and b"\x1b" not in data):
        wrong.append(f"the text shown is {shown[:30]!r}...{shown[-30:]!r}")
    text = live_text(page, run, stream)
    if text.translate(TURNS) != data.decode("utf-8", "replace").translate(TURNS):
        wrong.append("the live text is not the text of the bytes")
    return wrong


#: Signs that turn the direction of what follows are replaced as well.
TURNS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\N{REPLACEMENT CHARACTER}")


def live_text(page: Page, run: int, stream: str) -> str:
    """Read an output as the page's script does."""
    offset, text = 0, ""
    while True:
        answer = json.loads(page.get(f"/runs/{run}/output?stream={stream}&offset={offset}"))
        text += answer["text"]
        if answer["next_offset"] == offset:
            return text
        offset = answer["next_offset"]


def test_two_streams_written_in_turn_keep_their_own_order(lab, claims):
    lines = count("INTERLEAVED_LINES", 20_000, 100_000)
    text = f'seq 1 {lines} | awk \'{{ print; print "e" $0 > "/dev/stderr" }}\''
    with lab.running():
        run = start(lab, "interleaved", text)
        row = wait(lab, run, 120)
    page = Page(lab)
    try:
        found = {stream: page.download(f"/runs/{run}/download/{stream}") for stream in ("stdout", "stderr")}
    finally:
        page.kill()
    wanted = {
        "stdout": "".join(f"{n}\n" for n in range(1, lines + 1)).encode(),
        "stderr": "".join(f"e{n}\n" for n in range(1, lines + 1)).encode(),
    }
    wrong = [] if row["state"] == "succeeded" else [row["reason"]]
    wrong += [name for name in wanted if hashlib.sha256(found[name]).digest() != hashlib.sha256(wanted[name]).digest()]
    claims.none_of("F21", "interleaved lines lost or out of order", 2 * lines, wrong)
