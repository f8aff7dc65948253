"""Foreign texts stay what they are: proven with a renderer of GitHub's Markdown where one is at hand."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from flakeguard.github.publishing.markdown import block, clip, code, folded, link, text

GITHUB = MarkdownIt("commonmark", {"html": True}).enable("table").enable("strikethrough")

EVIL = [
    "a|b", "a\\|b", "a\\\\|b", "`tick`", "``", "<script>alert(1)</script>", "</code><img src=x>", "*b* _i_ ~~s~~",
    "[x](http://evil)", "![x](http://evil/y.png)", "<!-- comment", "&lt;b&gt;", "$x$", "line\nbreak\r\n| x |", "\\", "",
]  # fmt: skip


def cells(markdown: str) -> list[str]:
    html = GITHUB.render(f"| a | b |\n|---|---|\n{markdown}\n")
    assert html.count("<tr>") == 2
    return [cell.replace("<wbr>", "") for cell in re.findall(r"<td>(.*?)</td>", html, re.DOTALL)]


def shown(html: str) -> str:
    return html.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&")


@pytest.mark.parametrize("name", EVIL)
def test_a_name_stays_in_its_cell_as_it_is(name):
    (first, second) = cells(f"| {link(code(name), 'https://flake.example/1')} | {text(name)} |")
    inner = re.fullmatch(r'<a href="https://flake.example/1"><code>(.*)</code></a>', first)
    assert inner is not None, first
    assert shown(inner[1]) == (clip(name, 120) or "(no name)")
    assert "<" not in second
    assert shown(second) == clip(name, 300)


@given(st.text(max_size=80))
def test_whatever_a_name_holds_the_table_keeps_its_cells(name):
    first, second = cells(f"| {code(name)} | {text(name)} |")
    assert re.fullmatch(r"<code>[^<]*</code>", first)
    assert "<" not in second


@given(st.text(max_size=400))
def test_no_message_ends_its_fence(message):
    html = GITHUB.render(f"{block(message)}\n\nafter")
    assert html.endswith("</code></pre>\n<p>after</p>\n")


def test_nobody_and_nothing_is_mentioned():
    said = text("thanks @octocat and @acme/team, see #12, GH-3 and https://evil.example www.evil.example")
    assert not re.search(r"@\w|(?<!&)#\d|GH-\d|https?://|www\.", said)


def test_addresses_of_mail_are_no_links_in_code_either():
    """GitHub's renderer makes links of them wherever text is, also between tags of code."""
    said = code("mailto:octocat@evil.example")
    assert not re.search(r"\w@\w", said)
    assert shown(said.replace("<wbr>", "")) == "<code>mailto:octocat@evil.example</code>"


@pytest.mark.parametrize(
    "name",
    [
        "com.acme.platform.payments.StripeGatewayAdapterIntegrationTest.shouldRetry(int, String)[17]",
        "tests/checkout/payments/test_refunds.py::TestRefunds::test_refund_is_idempotent[EUR-partial]",
        "x" * 119,
        "`|" * 50,
    ],
)
@pytest.mark.parametrize("said", [code, text])
def test_no_word_is_wider_than_a_phones_cell_and_nothing_is_added_to_what_is_copied(said, name):
    markup = re.sub(r"&#(\d+);", lambda sign: chr(int(sign[1])), re.sub(r"</?code>", "", said(name)))
    assert markup.replace("<wbr>", "") == clip(name, 120)
    assert max(map(len, re.split(r"<wbr>|\s", markup))) <= 24


def test_short_words_are_not_broken():
    assert code("test_refund") == "<code>test&#95;refund</code>"


def test_what_is_folded_is_markdown_still():
    html = GITHUB.render(folded("2 more", "| a |\n|---|\n| b |") + "\n\nafter")
    assert "<details><summary>2 more</summary>\n<table>" in html
    assert html.endswith("</details>\n<p>after</p>\n")


def test_long_names_lose_their_middle_and_controls():
    clipped = clip("first" + "x" * 10_000 + "last", 50)
    assert len(clipped) == 50
    assert clipped.startswith("first")
    assert clipped.endswith("last")
    assert clip("\x1b[31mred\x1b[0m \u202egnirts\x00", 50) == "red gnirts"


def test_only_web_addresses_are_linked():
    assert link("x", "javascript:alert(1)") == "x"
    assert link("x", "https://a.example/) evil") == "x"
    assert link("x", None) == "x"
