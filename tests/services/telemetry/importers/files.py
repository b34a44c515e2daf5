"""Small files and maps for the tests of the importer."""

import csv
import io
from pathlib import Path

HEADER = ("at", "status", "prompt", "answer", "seconds", "who")
MAP = """
source: shop
noun: operations
format: csv
columns:
  started_at: at
  error_type: status
  input_tokens: prompt
  output_tokens: answer
  latency_ms: seconds
  user_id: who
units: {latency_ms: s}
values:
  error_type: {OK: null, BAD: failed, OPEN: {reject: unfinished}}
constants: {module: shop, provider: openai, model: gpt-5-mini}
"""
JSON_MAP = """
source: shop
format: FORMAT
columns:
  started_at: at
  input_tokens: usage.input
  session_id: blocks.0
constants: {module: shop}
"""


def rows(count: int, first: int = 0) -> list[tuple[str, ...]]:
    return [row(number) for number in range(first, first + count)]


def row(number: int) -> tuple[str, ...]:
    return f"2026-03-01T10:{number // 60 % 60:02d}:{number % 60:02d}", "OK", str(100 + number), "7", "1.5", f"u{number}"


def as_csv(lines: list[tuple[str, ...]], header: tuple[str, ...] = HEADER) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows([header, *lines])
    return text.getvalue()


def put(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path
