"""What is told of the browser of a session."""

from __future__ import annotations

import pytest

from watchbell.web.browsers import browser_words

_APPLE = "AppleWebKit/605.1.15 (KHTML, like Gecko)"
_CHROME = "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0"


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", "Firefox 132 on Linux"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36", "Chrome 131 on Windows"),
        (f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {_CHROME} Safari/537.36 Edg/131.0.0.0", "Edge 131 on Windows"),
        (f"Mozilla/5.0 (Linux; Android 10; K) {_CHROME} Mobile Safari/537.36", "Chrome 131 on Android"),
        (
            f"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) {_APPLE} Version/18.1 Safari/605.1.15",
            "Safari 18 on macOS",
        ),
        (
            f"Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) {_APPLE} Version/18.1 Mobile/15E148 Safari/604.1",
            "Safari 18 on iPhone",
        ),
        ("curl/8.5.0", "curl/8.5.0"),
        ("python-requests/2.32.3 (by hand)", "python-requests/2.32.3"),
        ("<b>Netscape</b>", "<b>Netscape</b>"),
        ("", ""),
    ],
)
def test_a_browser_is_named_as_its_owner_would(agent: str, words: str) -> None:
    assert browser_words(agent) == words
