"""What this organisation wants of its telemetry: where modules and environments are named, and what is blotted out of texts.

Read once from the YAML file that TELEMETRY_RULES names:

    fields:                       # attribute names (span before resource), tried before the built-in ones
      module: [app.feature]
    rename:                       # a whole value that matches becomes another; \\1 and so on are the groups
      module: [{match: "svc-(.*)-v[0-9]+", to: "\\1"}]
    redact:                       # on top of the built-in rules, in prompts and completions that are kept
      - {match: "EMP[0-9]{6}", to: "[employee]"}
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from services.errors import BadInput
from services.settings import settings

FIELDS = ("environment", "module", "operation", "user_id", "session_id")
# Every repetition is bounded and begins at a boundary: a text of a megabyte must not take a megabyte squared.
SECRETS = (
    (r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}", "[email]"),
    (r"\b(?:sk|pk|rk|bnk|ghp|gho|xox[abp])[-_][\w-]{16,}", "[key]"),
    (r"(?i)\b(?:bearer|password|passwd|secret|token|api[_-]?key)\b(?:\s{0,4}[:=]\s{0,4}|\s{1,4})\S{6,}", "[secret]"),
    (r"\b(?:\d[ -]?){13,19}\b", "[number]"),
    (r"(?<!\w)\+?\d[\d ().-]{8,20}\d(?!\w)", "[phone]"),
)


class Substitution(BaseModel):
    """`match` is a regular expression of Python's."""

    model_config = ConfigDict(extra="forbid")
    match: str
    to: str = ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")
    fields: dict[str, list[str]] = Field(default_factory=dict)
    rename: dict[str, list[Substitution]] = Field(default_factory=dict)
    redact: list[Substitution] = Field(default_factory=list)


Pairs = tuple[tuple[re.Pattern[str], str], ...]


@dataclass(frozen=True, slots=True, eq=False)
class Rules:
    """Compiled: attribute names by field, substitutions by field, substitutions in texts."""

    fields: Mapping[str, tuple[str, ...]]
    rename: Mapping[str, Pairs]
    redact: Pairs


@lru_cache(maxsize=4)
def load(path: Path | None) -> Rules:
    """The rules of a file (the built-in ones without); raises BadInput saying where the file is wrong."""
    told = _File() if path is None else _read(path)
    for field in (*told.fields, *told.rename):
        if field not in FIELDS:
            raise BadInput(f"{path}: '{field}' has no rules; there are {', '.join(FIELDS)}.")
    return Rules(
        {field: tuple(names) for field, names in told.fields.items()},
        {field: _compiled(path, substitutions) for field, substitutions in told.rename.items()},
        (*_compiled(path, [Substitution(match=match, to=to) for match, to in SECRETS]), *_compiled(path, told.redact)),
    )


def rules() -> Rules:
    """Those of the settings."""
    return load(settings().telemetry_rules)


def redact(words: str) -> str:
    """A text with everything blotted out that a rule names."""
    for pattern, to in rules().redact:
        words = pattern.sub(to, words)
    return words


def renamed(field: str, value: str) -> str:
    """The value of a field under the first rule that matches all of it."""
    for pattern, to in rules().rename.get(field, ()):
        if pattern.fullmatch(value):
            return pattern.sub(to, value, count=1)
    return value


def _read(path: Path) -> _File:
    try:
        told: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        return _File.model_validate(told or {})
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"TELEMETRY_RULES: {path} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise BadInput(f"TELEMETRY_RULES: {path} is not YAML: {error}.") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadInput(f"TELEMETRY_RULES: {path}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from None


def _compiled(path: Path | None, substitutions: list[Substitution]) -> Pairs:
    made = []
    for substitution in substitutions:
        try:
            made.append((re.compile(substitution.match), substitution.to))
        except re.error as error:
            raise BadInput(f"TELEMETRY_RULES: {path}: '{substitution.match}' is not a regular expression: {error}.") from error
    return tuple(made)
