"""Prompts are files: services/ai/prompts/NAME.txt, filled with Jinja, each with a version that answers are kept under.

    version: 3
    --- system
    You word facts for staff. …
    --- user
    {{ facts | tojson }}

The part for the system may be left out.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from jinja2 import StrictUndefined, TemplateError
from jinja2 import Template as Compiled
from jinja2.sandbox import ImmutableSandboxedEnvironment

from services.errors import BadInput, NotFound

FOLDER = Path(__file__).with_name("prompts")
_SHAPE = re.compile(r"version: (?P<version>\d+)\n(?:--- system\n(?P<system>.*?)\n)?--- user\n(?P<user>.*)", re.DOTALL)
_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
# No escaping: what is filled in is data for a model, not markup.
_JINJA = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True)


@dataclass(frozen=True, slots=True)
class Template:
    """`digest` is of the whole file: an edit without a new version is a new prompt all the same."""

    name: str
    version: int
    digest: str
    system: str
    user: str

    @property
    def title(self) -> str:
        return f"{self.name}@{self.version}"

    def filled(self, values: Mapping[str, object]) -> tuple[str, str]:
        """What the system and the user say. Raises BadInput for a value that is missing."""
        try:
            return _compiled(self.system).render(values).strip(), _compiled(self.user).render(values).strip()
        except (TemplateError, TypeError, ValueError) as error:
            raise BadInput(f"The prompt {self.title} cannot be filled: {error}.") from error


def load(name: str) -> Template:
    """A prompt by name; raises NotFound, and BadInput for a file of another shape."""
    path = FOLDER / f"{name}.txt"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NotFound(f"There is no prompt '{name[:64]}'.")
    return _read(path, path.stat().st_mtime_ns)


def preload() -> None:
    """Read and compile all of them; one that cannot be is told to whoever asks for it."""
    for path in FOLDER.glob("*.txt"):
        with suppress(BadInput, NotFound, TemplateError):
            template = load(path.stem)
            _compiled(template.system)
            _compiled(template.user)


@lru_cache(maxsize=512)
def _compiled(words: str) -> Compiled:
    return _JINJA.from_string(words)


@lru_cache(maxsize=256)
def _read(path: Path, _changed: int) -> Template:
    told = path.read_text()
    found = _SHAPE.fullmatch(told)
    if found is None:
        raise BadInput(f"The prompt {path.name} does not begin with its version, or has no part for the user.")
    return Template(path.stem, int(found["version"]), sha256(told.encode()).hexdigest(), found["system"] or "", found["user"])
