"""A file as decoded text, in bounded memory: blocks for JSON arrays, lines for CSV and JSON lines.

What was whole before the damage is always handed out first; then BadInput says where the file breaks.
"""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, cast

from services.errors import BadInput

BLOCK = 256 * 1024
LONGEST_LINE = 16 * 1024 * 1024
GZIP_MAGIC = b"\x1f\x8b"
BOM = "\ufeff"

Tell = Callable[[int], None]  # told how many bytes of the file were consumed so far


def open_file(path: Path) -> BufferedReader:
    """The file for reading; raises BadInput when it is not there, not a file or not ours to read."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise BadInput(f"There is no file {path}.") from None
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.") from error


def blocks(file: BufferedReader, encoding: str, tell: Tell) -> Iterator[str]:
    """Decoded text of a plain or gzipped file; a byte order mark is dropped."""
    decoder = codecs.getincrementaldecoder(encoding)()
    fed, newlines, first = 0, 0, True
    for data in _bytes(file, tell):
        fed += len(data)
        try:
            text = decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            whole = _before(error, encoding)
            yield whole.removeprefix(BOM) if first else whole
            offset, line = fed - len(error.object) + error.start, newlines + whole.count("\n") + 1
            raise BadInput(
                f"line {line}: byte 0x{error.object[error.start]:02x} at offset {offset} is not {encoding};"
                " name the file's encoding in the map (for example `encoding: cp1252`)"
            ) from None
        if text:
            yield text.removeprefix(BOM) if first else text
            newlines, first = newlines + text.count("\n"), False


def lines(texts: Iterator[str]) -> Iterator[str]:
    """Lines with their line ends; one that damage cut short is not handed out."""
    rest, number = "", 0
    for block in texts:
        *whole, rest = (rest + block).split("\n")
        for line in whole:
            yield line + "\n"
        number += len(whole)
        if len(rest) > LONGEST_LINE:
            raise BadInput(f"line {number + 1} is longer than {LONGEST_LINE:,} characters: this is not the format of the map")
    if rest:
        yield rest


def _bytes(file: BufferedReader, tell: Tell) -> Iterator[bytes]:
    """Blocks of (unzipped) bytes, then one empty block."""
    zipped = file.peek(2)[:2] == GZIP_MAGIC
    stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if zipped else file
    while True:
        try:
            data = stream.read(BLOCK) if not zipped else cast("gzip.GzipFile", stream).read1(BLOCK)
        except EOFError:
            raise BadInput("the gzip file is truncated: its end is missing") from None
        except (gzip.BadGzipFile, zlib.error) as error:
            raise BadInput(f"the gzip file is damaged: {error}") from None
        tell(file.tell())
        yield data
        if not data:
            return


def _before(error: UnicodeDecodeError, encoding: str) -> str:
    """The text before the byte that does not decode; a code page calls itself only `charmap`."""
    return error.object[: error.start].decode(encoding if error.encoding == "charmap" else error.encoding)
