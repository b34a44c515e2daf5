"""The environment, read once and validated."""

from functools import lru_cache
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from services.errors import BadInput

ROOT = Path(__file__).resolve().parent.parent
Port = Annotated[int, Field(ge=1, le=65535)]


class Settings(BaseSettings):
    """One field per environment variable of the same name in capitals."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", env_ignore_empty=True)

    port: Port = 8501
    otlp_port: Port = 4318
    bind_address: str = "127.0.0.1"
    public_url: str | None = None
    data_dir: Path = ROOT / ".data"
    database_url: SecretStr | None = None
    redis_url: SecretStr | None = None
    sample_data: bool = True
    reporting_zone: str = "UTC"
    gemini_api_key: SecretStr | None = None
    gemini_endpoint: str | None = None
    ollama_hosts: Annotated[tuple[str, ...], NoDecode] = ()
    session_days: int = Field(default=14, ge=1, le=365)
    inbox_limit_rows: int = Field(default=2_000_000, ge=1_000)
    series_limit_per_source: int = Field(default=2_000, ge=1)
    raw_days: int = Field(default=1_830, ge=2)
    rejected_days: int = Field(default=30, ge=1)
    payload_days: int = Field(default=14, ge=1)
    workers_rollups: int = Field(default=1, ge=0, le=64)
    workers_default: int = Field(default=1, ge=0, le=64)
    store_payloads: bool = False
    telemetry_rules: Path | None = None
    school_year_month: int = Field(default=6, ge=1, le=12)
    chat_use_ai_fallback: bool = False
    log_level: str = "INFO"

    @field_validator("reporting_zone")
    @classmethod
    def _is_iana(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"'{name}' is not an IANA time zone such as 'Asia/Manila'")
        return name

    @field_validator("chat_use_ai_fallback")
    @classmethod
    def _stays_off(cls, wanted: bool) -> bool:
        """Ask has no way to a model; whoever expects one shall learn that at the start."""
        if wanted:
            raise ValueError("Ask answers without AI; leave it out or set it to false")
        return wanted

    @field_validator("database_url")
    @classmethod
    def _names_our_driver(cls, url: SecretStr | None) -> SecretStr | None:
        """`postgres://` and `postgresql://` both mean psycopg2 here; SQLAlchemy 2.1 would pick psycopg 3."""
        if url is None:
            return None
        scheme, separator, rest = url.get_secret_value().partition("://")
        if not separator or scheme not in ("postgres", "postgresql", "postgresql+psycopg2"):
            raise ValueError("it must start with postgresql://")
        return SecretStr(f"postgresql+psycopg2://{rest}")

    @field_validator("redis_url")
    @classmethod
    def _is_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("it must start with redis://, rediss:// or unix://")
        return url

    @field_validator("ollama_hosts", mode="before")
    @classmethod
    def _are_addresses(cls, told: object) -> object:
        """Addresses with a comma between them."""
        if not isinstance(told, str):
            return told
        hosts = tuple(host.strip().rstrip("/") for host in told.split(",") if host.strip())
        if not all(host.startswith(("http://", "https://")) for host in hosts):
            raise ValueError("it must name addresses such as http://gpu1:11434,http://gpu2:11434")
        return hosts

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.reporting_zone)

    @property
    def console_url(self) -> str:
        """Where a browser finds the console, without a trailing slash."""
        return (self.public_url or f"http://127.0.0.1:{self.port}").rstrip("/")


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process's settings; raises BadInput naming the variable that is wrong, never its secret value."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        variable = str(first["loc"][0]).upper()
        raise BadInput(f"The setting {variable} is wrong: {first['msg'].removeprefix('Value error, ')}.") from None
