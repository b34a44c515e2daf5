"""Rows out of text, by format. A row that cannot be read on its own is handed out as such; a broken file raises BadInput."""

import csv
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

from services.errors import BadInput
from services.telemetry.importers.texts import LONGEST_LINE, lines

CHUNK_ROWS = 10_000
CHUNK_CHARACTERS = 32 * 1024 * 1024
SEPARATOR = "\x1f"
SPACE = " \t\r\n"
csv.field_size_limit(LONGEST_LINE)  # a cell of prose may well pass the 128 KiB that Python allows


class Form(Protocol):
    """What a map says about the writing of a file."""

    @property
    def format(self) -> str: ...
    @property
    def delimiter(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Row:
    """`text` is its content, by which it is known again; `value` a list of cells or a JSON object; `fault` why it cannot be read."""

    text: str
    value: object
    fault: str | None = None


def read(texts: Iterator[str], plan: Form) -> tuple[list[str] | None, Iterator[Row]]:
    """The header (CSV only) and the rows."""
    if plan.format == "csv":
        return _csv(texts, plan)
    return None, _json_lines(texts) if plan.format == "jsonl" else _json_array(texts)


def chunks(rows: Iterable[Row]) -> Iterator[list[Row]]:
    """Rows in lists of bounded length and weight; what came before a BadInput is handed out before it is raised."""
    chunk: list[Row] = []
    weight = 0
    try:
        for row in rows:
            chunk.append(row)
            weight += len(row.text)
            if len(chunk) == CHUNK_ROWS or weight > CHUNK_CHARACTERS:
                yield chunk
                chunk, weight = [], 0
    except BadInput:
        if chunk:
            yield chunk
        raise
    if chunk:
        yield chunk


def _csv(texts: Iterator[str], plan: Form) -> tuple[list[str], Iterator[Row]]:
    reader = csv.reader(lines(texts), delimiter=plan.delimiter, strict=True)
    try:
        header = [name.strip() for name in next(reader, [])]
    except csv.Error as error:
        raise BadInput(f"line {reader.line_num}, the header, is not CSV: {error}") from None
    if not any(header):
        raise BadInput("the file has no header: its first line is empty")
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise BadInput(f"the header names {', '.join(repeated)} twice")

    def cells() -> Iterator[Row]:
        try:
            for row in reader:
                if len(row) == len(header):
                    yield Row(SEPARATOR.join(row), row)
                elif row:
                    yield Row(SEPARATOR.join(row), row, f"line {reader.line_num} has {len(row)} fields where the header has {len(header)}")
        except csv.Error as error:
            raise BadInput(f"line {reader.line_num} is not CSV: {error}") from None

    return header, cells()


def _json_lines(texts: Iterator[str]) -> Iterator[Row]:
    first = True
    for number, line in enumerate(lines(texts), 1):
        text = line.strip(SPACE)
        if text:
            row = _object(text, number)
            if first and row.fault:
                raise BadInput(f"{row.fault}: this is not a file of JSON lines")
            first = False
            yield row


def _object(text: str, line: int) -> Row:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        return Row(text, None, f"line {line} is not JSON: {error}")
    return Row(text, value) if isinstance(value, dict) else Row(text, None, f"line {line} is not a JSON object")


def _json_array(texts: Iterator[str]) -> Iterator[Row]:
    """Values of one array, decoded one after the other from a window that grows only as far as the largest of them."""
    window = _Window(texts)
    if window.next() != "[":
        raise BadInput("the file does not begin with [ as a JSON array does" if window.text else "the file is empty")
    window.skip()
    closing = window.next() == "]"
    if closing:
        window.skip()
    while not closing:
        text, value = window.value()
        yield Row(text, value) if isinstance(value, dict) else Row(text, None, "is not a JSON object")
        mark = window.next()
        if mark not in (",", "]"):
            raise BadInput(f"line {window.line()}: a comma or ] is missing" if mark else "the JSON array is truncated: its ] is missing")
        window.skip()
        closing = mark == "]"
    if window.next():
        raise BadInput(f"line {window.line()}: something follows the end of the JSON array")


class _Window:
    """The part of the text that is being decoded."""

    def __init__(self, texts: Iterator[str]) -> None:
        self.texts = texts
        self.text = ""
        self.at = 0
        self.lines_gone = 0

    def line(self) -> int:
        return self.lines_gone + self.text.count("\n", 0, self.at) + 1

    def skip(self) -> None:
        self.at += 1

    def next(self) -> str:
        """The next character that is not space, without consuming it; "" at the end of the file."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in SPACE:
                self.at += 1
            if self.at < len(self.text):
                return self.text[self.at]
            if not self._more(1):
                return ""

    def value(self) -> tuple[str, object]:
        """The text and value of the next JSON value; raises BadInput where it is malformed or never ends."""
        self.next()
        while True:
            try:
                value, end = json.JSONDecoder().raw_decode(self.text, self.at)
                # A number may go on in the next block; an object is over with its brace.
                if end < len(self.text) or isinstance(value, dict) or not self._more(1):
                    text, self.at = self.text[self.at : end], end
                    return text, value
            except (ValueError, RecursionError) as error:
                length = len(self.text) - self.at
                # Each attempt reads twice as far, so that a long value costs a constant number of readings.
                if length > LONGEST_LINE or not self._more(max(length, 1)):
                    raise BadInput(self._words(error)) from None

    def _more(self, characters: int) -> bool:
        """Drop what is consumed and read at least that many characters more; False at the end of the file."""
        self.lines_gone += self.text.count("\n", 0, self.at)
        parts = [self.text[self.at :]]
        self.at = 0
        gained = 0
        try:
            for block in self.texts:
                parts.append(block)
                gained += len(block)
                if gained >= characters:
                    break
        finally:
            self.text = "".join(parts)
        return gained > 0

    def _words(self, error: Exception) -> str:
        if isinstance(error, json.JSONDecodeError):
            line = self.lines_gone + self.text.count("\n", 0, error.pos) + 1
            return f"line {line} is not JSON: {error.msg}" + (" (the file ends there)" if error.pos >= len(self.text.rstrip()) else "")
        return f"line {self.line()} is not JSON: {error}"
