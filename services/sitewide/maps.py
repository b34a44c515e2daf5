"""What the columns of a public finance file mean: a map, written in YAML, validated before a row is read."""

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from services.errors import BadInput
from services.records.cells import folded
from services.records.names import fold
from services.sitewide.names import slug
from services.telemetry.importers.maps import words

SHIPPED = Path(__file__).parent / "maps"
ATTRIBUTES = ("name", "type", "nation", "region")
NEEDED = {"councils": {"code", "name"}, "figures": {"code", "name", "year", "field", "value"}}
KNOWN = {"councils": {"code", *ATTRIBUTES}, "figures": {"code", *ATTRIBUTES, "year", "field", "value"}}

Text = Annotated[str, Field(min_length=1, max_length=200)]


class Map(BaseModel):
    """One kind of file: a register of `councils`, or their `figures`, one a row.

    `where` keeps only rows with these words; `before` names a column whose word comes before the field's name. `scale` is what one stands
    for in the value column. `values` translate words; `aliases` lead from a published name to the slug of the field it goes on.
    `units` are those of fields, by slug, that are not in `unit`: each a thing that is counted, in ones.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["councils", "figures"]
    source: Text
    format: Literal["csv"] = "csv"
    encoding: Text = "auto"
    delimiter: Annotated[str, Field(min_length=1, max_length=1)] = ","
    columns: dict[str, Text]
    where: dict[Text, Text] = {}
    before: Text | None = None
    unit: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "GBP"
    scale: Literal[1, 1_000, 1_000_000] = 1
    values: dict[Literal["type", "nation", "region"], dict[str, str | None]] = {}
    aliases: dict[Text, Text] = {}
    units: dict[Text, Text] = {}

    @field_validator("encoding")
    @classmethod
    def _is_text_encoding(cls, name: str) -> str:
        try:
            "".encode("utf-8" if name == "auto" else name)
        except LookupError:
            raise ValueError(f"'{name}' is not an encoding such as utf-8 or cp1252") from None
        return name

    @field_validator("values")
    @classmethod
    def _fold(cls, values: dict[str, dict[str, str | None]]) -> dict[str, dict[str, str | None]]:
        return {column: {folded(told): meant for told, meant in known.items()} for column, known in values.items()}

    @field_validator("aliases")
    @classmethod
    def _fold_aliases(cls, aliases: dict[str, str]) -> dict[str, str]:
        return {fold(told): slug(meant) for told, meant in aliases.items()}

    @model_validator(mode="after")
    def _has_its_columns(self) -> Self:
        missing, strange = NEEDED[self.kind] - self.columns.keys(), self.columns.keys() - KNOWN[self.kind]
        if missing or strange:
            wrong = f"lacks {', '.join(sorted(missing))}" if missing else f"cannot have {', '.join(sorted(strange))}"
            raise ValueError(f"columns: a map of {self.kind} {wrong}")
        return self

    def slug_of(self, published: str) -> str:
        """What a field is known by; raises BadInput for a name that says nothing."""
        return self.aliases.get(fold(published)) or slug(published)


def shipped() -> list[str]:
    """Names of the ready-made maps."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(name: str) -> Map:
    """The map at a path, or the ready-made one of that name; raises BadInput naming each key that is wrong."""
    path = SHIPPED / f"{name}.yaml" if name in shipped() else Path(name)
    try:
        return Map.model_validate(yaml.safe_load(path.read_text(encoding="utf-8-sig")))
    except FileNotFoundError:
        raise BadInput(f"There is no map '{name}': give the path of a YAML file, or one of {', '.join(shipped())}.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"The map {name} cannot be read: {error}.") from error
    except yaml.YAMLError as error:
        raise BadInput(f"The map {name} is not YAML: {' '.join(str(error).split())}.") from error
    except ValidationError as error:
        raise BadInput(f"The map {name} is wrong: {words(error)}.") from None
