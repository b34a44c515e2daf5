"""What a record or a model wrote is shown as it is written, and loads, links and styles nothing."""

import pytest

from console.ui.quoted import JOINER, quoted
from console.ui.worded import shown, untitled


@pytest.mark.parametrize(
    ("told", "meant"),
    [
        ("## Risks", "##### Risks"),
        ("###### Deep", "###### Deep"),
        ("#no heading", r"\#no heading"),
        ("- one **two** three", "- one **two** three"),
        ("| a | b |", "| a | b |"),
        ("| --- | :-: |", "| --- | :-: |"),
        (r"| a \| b | c |", r"| a \| b | c |"),
        (r"an \*escaped\* star", r"an \*escaped\* star"),
        ("a * star_and_line", r"a \* star\_and\_line"),
        ("![x](y)", r"\!\[x\]\(y\)"),
        ("<img src=x>", r"\<img src=x\>"),
        (":red[x] :material/home: $x$ `code`", r"\:red\[x\] \:material/home\: \$x\$ \`code\`"),
        ("https://e.com", rf"https\://{JOINER}e.com"),
        ("see www.e.com", rf"see www{JOINER}.e.com"),
        ("a@e.com", rf"a@{JOINER}e.com"),
        ("half **open", r"half \*\*open"),
        ("", ""),
    ],
)
def test_it_keeps_what_is_ours_and_nothing_else(told: str, meant: str) -> None:
    assert shown(told, under=3) == meant


def test_it_keeps_lines() -> None:
    assert shown("# A\n\nb\n- c") == "# A\n\nb\n- c"


@pytest.mark.parametrize(("told", "meant"), [("# A\n\nb", "b"), ("b\n# A", "b\n# A"), ("# A", ""), ("", "")])
def test_it_leaves_the_title_to_the_place(told: str, meant: str) -> None:
    assert untitled(told) == meant


def test_names_are_no_links_either() -> None:
    assert quoted(" a\n https://e.com ") == rf"a https\://{JOINER}e.com"
