"""The rejection report of one import: a CSV file that exists only when a row was refused."""

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from services.errors import BadInput
from services.telemetry.records import Rejection

COLUMNS = ("row", "field", "reason", "raw")


class Report:
    """Written as rejections come; raises BadInput at once where it could not be written later."""

    def __init__(self, path: Path) -> None:
        if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
            raise BadInput(f"The report cannot be written to {path}; name another file with --report.")
        self.path = path
        self.count = 0
        self._file: TextIO | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, rejections: Iterable[Rejection]) -> None:
        for rejection in rejections:
            if self._file is None:
                self._file = self.path.open("w", encoding="utf-8", newline="")
                csv.writer(self._file).writerow(COLUMNS)
            csv.writer(self._file).writerow((rejection.position, rejection.field, rejection.reason, rejection.raw))
            self.count += 1
