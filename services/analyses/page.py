"""An analysis as one HTML file to download: our own Markdown made into a page that loads and runs nothing."""

import re
from collections.abc import Iterator
from html import escape
from itertools import groupby

STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}"
    "table{border-collapse:collapse;margin:1rem 0}td,th{border:1px solid #bbb;padding:.3rem .6rem;text-align:left;vertical-align:top}"
    "@media print{body{margin:0;max-width:none}}"
)
BOLD = re.compile(r"(?<!\\)\*\*(.+?)(?<!\\)\*\*")
ESCAPED = re.compile(r"\\([\\`*_{}\[\]<>#|~!])")
CELL = re.compile(r"(?<!\\)\|")


def page(markdown: str) -> str:
    """The whole file. Nothing but headings, lists, tables, bold and paragraphs is understood: everything else is text."""
    body = "\n".join(_blocks(markdown))
    title = next((_text(line[2:]) for line in markdown.splitlines() if line.startswith("# ")), "Analysis")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{title}</title><style>{STYLE}</style></head><body>\n{body}\n</body></html>\n"
    )


def _blocks(markdown: str) -> Iterator[str]:
    for kind, lines in groupby(markdown.splitlines(), key=_kind):
        if kind == "heading":
            for line in lines:
                level = min(len(line) - len(line.lstrip("#")), 6)
                yield f"<h{level}>{_inline(line.lstrip('#').strip())}</h{level}>"
        elif kind == "list":
            yield f"<ul>{''.join(f'<li>{_inline(line[2:])}</li>' for line in lines)}</ul>"
        elif kind == "table":
            yield _table(list(lines))
        elif kind == "text":
            yield f"<p>{_inline(' '.join(lines))}</p>"


def _kind(line: str) -> str:
    if re.match(r"#{1,6} ", line):
        return "heading"
    return "list" if line.startswith("- ") else "table" if line.startswith("|") else "text" if line.strip() else "gap"


def _table(lines: list[str]) -> str:
    head, *rows = [[cell.strip() for cell in CELL.split(line.strip())[1:-1]] for line in lines]
    cells = "".join(f"<th>{_inline(cell)}</th>" for cell in head)
    body = "".join(f"<tr>{''.join(f'<td>{_inline(cell)}</td>' for cell in row)}</tr>" for row in rows[1:])
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _inline(text: str) -> str:
    return "".join(f"<strong>{_text(part)}</strong>" if n % 2 else _text(part) for n, part in enumerate(BOLD.split(text)))


def _text(text: str) -> str:
    return escape(ESCAPED.sub(r"\1", text))
