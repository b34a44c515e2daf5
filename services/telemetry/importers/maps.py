"""What a file's columns mean: a map, written in YAML, validated before a row is read."""

from pathlib import Path
from typing import Annotated, Literal, Self
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.errors import BadInput
from services.telemetry.records import Noun, Operation, Session

SHIPPED = Path(__file__).parent / "maps"
FIELDS: dict[Noun, tuple[str, ...]] = {"operations": tuple(Operation.__annotations__), "sessions": tuple(Session.__annotations__)}
TIMES = ("started_at", "ended_at")
DURATIONS = ("latency_ms", "ttft_ms")
MILLISECONDS = {"s": 1_000.0, "ms": 1.0, "us": 1e-3, "ns": 1e-6}
EPOCH_SECONDS = {"epoch_s": 1.0, "epoch_ms": 1e-3, "epoch_us": 1e-6, "epoch_ns": 1e-9}
OFFSET_SECONDS = {"offset_s": 1.0, "offset_ms": 1e-3}

Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Times(_Part):
    """How the time columns are written: `iso`, an epoch, an offset from `origin`, or a strptime pattern such as `%d/%m/%Y %H:%M`."""

    format: Text = "iso"
    zone: str = "UTC"
    origin: AwareDatetime | None = None

    @field_validator("zone")
    @classmethod
    def _is_iana(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"'{name}' is not an IANA time zone such as 'Asia/Manila'")
        return name

    @model_validator(mode="after")
    def _is_complete(self) -> Self:
        known = {"iso", *EPOCH_SECONDS, *OFFSET_SECONDS}
        if self.format not in known and "%" not in self.format:
            raise ValueError(f"format '{self.format}' is none of {', '.join(sorted(known))}, nor a pattern such as '%d/%m/%Y %H:%M'")
        if (self.format in OFFSET_SECONDS) != (self.origin is not None):
            raise ValueError("an offset format and an origin (a time with its zone) go together")
        return self

    @property
    def tzinfo(self) -> ZoneInfo:
        return ZoneInfo(self.zone)


class Count(_Part):
    """The number of entries of a list, in place of a column."""

    count: Text


class Reject(_Part):
    """A value whose rows cannot be used, and why."""

    reject: Text


Constant = str | int | float | bool
Value = str | int | float | bool | None | Reject


class Map(_Part):
    """One kind of file. Fields are those of `services.telemetry.records`; in JSON a column is a dotted path (`user.id`, `ids.0`)."""

    source: Text
    noun: Noun = "operations"
    format: Literal["csv", "jsonl", "json"]
    encoding: Text = "utf-8"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    times: Times = Times()
    id: tuple[Text, ...] = ()
    columns: dict[str, Text | Count]
    constants: dict[str, Constant] = {}
    values: dict[str, dict[str, Value]] = {}
    units: dict[str, Literal["s", "ms", "us", "ns"]] = {}

    @field_validator("id", mode="before")
    @classmethod
    def _one_or_many(cls, told: object) -> object:
        return (told,) if isinstance(told, str) else told

    @field_validator("encoding")
    @classmethod
    def _is_text_encoding(cls, name: str) -> str:
        try:
            "".encode(name)
        except LookupError:
            raise ValueError(f"'{name}' is not an encoding such as utf-8 or cp1252") from None
        return name

    @model_validator(mode="after")
    def _fits_the_noun(self) -> Self:
        fields = FIELDS[self.noun]
        for part in ("columns", "constants", "values", "units"):
            for field in getattr(self, part):
                if field == "id" or field not in fields:
                    allowed = ", ".join(name for name in fields if name != "id")
                    hint = "the key `id` of the map names its columns" if field == "id" else f"{self.noun} have {allowed}"
                    raise ValueError(f"{part}: '{field}' cannot be set; {hint}")
        if "started_at" not in self.columns:
            raise ValueError("columns: started_at is missing; every record needs its time")
        if self.format == "csv" and any(isinstance(column, Count) for column in self.columns.values()):
            raise ValueError("columns: only JSON has lists to count")
        return self

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for field in self.values.keys() | self.units.keys():
            if field not in self.columns:
                raise ValueError(f"'{field}' has values or units but no column")
        for field in self.columns.keys() & self.constants.keys():
            raise ValueError(f"'{field}' is both a column and a constant")
        for field in self.units:
            if field not in DURATIONS:
                raise ValueError(f"units: '{field}' is not a duration ({', '.join(DURATIONS)})")
        return self


def shipped() -> list[str]:
    """Names of the ready-made maps."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(name: str) -> Map:
    """The map at a path, or the ready-made one of that name; raises BadInput naming each key that is wrong."""
    path = SHIPPED / f"{name}.yaml" if name in shipped() else Path(name)
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadInput(f"There is no map '{name}': give the path of a YAML file, or one of {', '.join(shipped())}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The map {name} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise BadInput(f"The map {name} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(told, dict):
        raise BadInput(f"The map {name} is not a YAML mapping with keys such as source, format and columns.")
    try:
        return Map.model_validate(told)
    except ValidationError as error:
        raise BadInput(f"The map {name} is wrong: {words(error)}.") from None


def words(error: ValidationError) -> str:
    """What is wrong with a map, for the one who wrote it: at most five keys, each with its reason."""
    problems: dict[str, str] = {}
    for problem in error.errors(include_url=False, include_input=False):
        # A union tells one problem for each of its members, under the same key of the file.
        key = ".".join(str(part) for part in problem["loc"][:3] if part not in ("str", "Count", "[key]"))
        reason = "unknown key" if problem["type"] == "extra_forbidden" else problem["msg"].removeprefix("Value error, ")
        if problem["loc"][-1:] == ("[key]",):
            reason = "YAML does not read this key as text: put it in quotes"
        problems.setdefault(key, reason)
    return "; ".join(f"{key}: {reason}" if key else reason for key, reason in list(problems.items())[:5])
