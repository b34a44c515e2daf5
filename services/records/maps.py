"""What the columns of a file of records mean: a map, written in YAML, validated before a row is read.

A heading matches however it is spaced and in whichever case it is written, as a whole or by its first line: explanations follow there.
"""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.errors import BadInput
from services.records.cells import folded
from services.records.reading import Kind
from services.telemetry.importers.maps import words

SHIPPED = Path(__file__).parent / "maps"
FIELDS: dict[Kind, tuple[str, ...]] = {
    "communities": (
        "name", "geographic_level", "region", "province", "municipality", "city_class", "income_class", "settlement_type", "population",
        "barangay_status", "old_names", "narrative",
    ),
    "projects": (
        "name", "department", "category", "description", "start_planned", "start_current", "end_planned", "end_current", "status",
        "rating", "budget", "forecast", "variance_percent", "whole_life", "narrative",
    ),
}  # fmt: skip
COUNTS = ("population",)
MONEY = ("budget", "forecast", "whole_life")
PERCENT = ("variance_percent",)
DAYS = ("start_planned", "start_current", "end_planned", "end_current")
PROSE = ("description", "narrative", "old_names")
DERIVED = ("start_planned", "end_planned")

Heading = Annotated[str, Field(max_length=500)]
Text = Annotated[str, Field(min_length=1, max_length=200)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Misread(_Part):
    """Files that were written in one encoding, read in another and saved as that reading."""

    written: Text
    read: Text


class Map(_Part):
    """One kind of file.

    A column is a heading, several of which the first that is there counts, or (for prose) paragraphs with the heading of each.
    """

    kind: Kind
    source: Text
    format: Literal["csv"] = "csv"
    encoding: Text = "auto"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    misread: Misread | None = None
    id: Heading | None = None
    psgc_codes: bool = False
    year: Annotated[int, Field(ge=1900, le=2200)] | None = None
    columns: dict[str, Heading | tuple[Heading, ...] | dict[str, Heading]]
    attributes: dict[str, Heading] = {}
    dates: tuple[Text, ...] = ("iso",)
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] | None = None
    scale: Literal[1, 1_000, 1_000_000, 1_000_000_000] = 1
    percent_sign: bool = False
    opposite: tuple[Text, ...] = ()
    values: dict[str, dict[str, str | None]] = {}
    successors: dict[str, str] = {}
    formerly: dict[str, str] = {}

    @field_validator("encoding")
    @classmethod
    def _is_text_encoding(cls, name: str) -> str:
        return name if name == "auto" else _encoding(name)

    @field_validator("misread")
    @classmethod
    def _are_text_encodings(cls, misread: Misread | None) -> Misread | None:
        for name in (misread.written, misread.read) if misread else ():
            _encoding(name)
        return misread

    @field_validator("values")
    @classmethod
    def _fold(cls, values: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
        return {field: {folded(told): meant for told, meant in known.items()} for field, known in values.items()}

    @field_validator("successors")
    @classmethod
    def _fold_departments(cls, successors: dict[str, str]) -> dict[str, str]:
        return {folded(told): meant for told, meant in successors.items()}

    @model_validator(mode="after")
    def _fits_the_kind(self) -> Self:
        fields = FIELDS[self.kind]
        for part, named in (("columns", self.columns), ("values", self.values), ("opposite", self.opposite)):
            for field in named:
                if field not in fields:
                    raise ValueError(f"{part}: '{field}' cannot be set; {self.kind} have {', '.join(fields)}")
        if "name" not in self.columns:
            raise ValueError("columns: name is missing; every record needs one")
        if self.kind == "communities" and self.id is None:
            raise ValueError("id is missing: communities are told apart by their code")
        if self.kind == "communities" and self.year is not None:
            raise ValueError("only projects have years")
        if self.psgc_codes and (self.kind != "communities" or {"region", "province", "municipality"} & self.columns.keys()):
            raise ValueError("psgc_codes: region, province and municipality of a community follow from its code, or are columns, not both")
        return self

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        for field, column in self.columns.items():
            if isinstance(column, dict) and field not in PROSE:
                raise ValueError(f"columns: only {', '.join(PROSE)} can have paragraphs, not '{field}'")
            if field in MONEY and self.currency is None:
                raise ValueError(f"currency is missing: '{field}' is money")
            if field in DERIVED and self.year is not None:
                raise ValueError(f"columns: '{field}' of a yearly report is what its first year told")
        for field in self.values:
            if field in (*COUNTS, *MONEY, *PERCENT, *DAYS, *PROSE):
                raise ValueError(f"values: '{field}' is no list of words")
        for field in self.opposite:
            if field not in PERCENT:
                raise ValueError(f"opposite: '{field}' has no sign to turn")
        return self


def shipped() -> list[str]:
    """Names of the ready-made maps; those that others extend begin with _ and are none."""
    return sorted(path.stem for path in SHIPPED.glob("[!_]*.yaml"))


def load(name: str) -> Map:
    """The map at a path, or the ready-made one of that name; raises BadInput naming each key that is wrong."""
    path = SHIPPED / f"{name}.yaml" if name in shipped() else Path(name)
    told = _read(path, name)
    extended = told.pop("extends", None)
    if extended is not None:
        told = _read(path.parent / f"{extended}.yaml", str(extended)) | told
    try:
        return Map.model_validate(told)
    except ValidationError as error:
        raise BadInput(f"The map {name} is wrong: {words(error)}.") from None


def _read(path: Path, name: str) -> dict[str, object]:
    try:
        told = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise BadInput(f"There is no map '{name}': give the path of a YAML file, or one of {', '.join(shipped())}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The map {name} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise BadInput(f"The map {name} is not YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(told, dict):
        raise BadInput(f"The map {name} is not a YAML mapping with keys such as kind, source and columns.")
    return told


def _encoding(name: str) -> str:
    try:
        "".encode(name)
    except LookupError:
        raise ValueError(f"'{name}' is not an encoding such as utf-8 or cp1252") from None
    return name
