"""The public traces through the ready-made maps, against an independent computation on the files."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from services import metrics
from services.telemetry.importers import maps
from tests.services.telemetry.importers.conftest import Import, counted

Shared = Callable[[str], Path]
COUNTS = ["operations", "errors", "input_tokens", "output_tokens"]
QUANTILES = {"latency_p50": 0.5, "latency_p95": 0.95, "latency_p99": 0.99}


def asked(measures: list[str], start: pd.Timestamp, end: pd.Timestamp, by: str | None = None) -> pd.DataFrame:
    """The catalogue's answer, by a dimension or by day."""
    last = end.date() + timedelta(days=1)
    if by:
        return metrics.query(measures, start=start.date(), end=last, by=[by]).frame.set_index(by)
    frame = metrics.query(measures, start=start.date(), end=last, interval="day").frame
    return frame.assign(day=frame["bucket"].dt.date).set_index("day")


def compare_counts(answer: pd.DataFrame, truth: pd.DataFrame) -> None:
    assert set(truth.index) <= set(answer.index)
    assert answer["operations"].sum() == truth["operations"].sum()
    for name in truth.columns:
        assert answer.loc[truth.index, name].tolist() == truth[name].tolist(), name


def compare_quantiles(answer: pd.DataFrame, groups: dict[object, np.ndarray]) -> None:
    for key, latencies in groups.items():
        told = answer[answer.index == key].iloc[0]
        for name, share in QUANTILES.items():
            truth = float(np.quantile(latencies, share, method="inverted_cdf"))
            assert told[name] == pytest.approx(truth, rel=0.01), f"{name} of {key}"


def test_it_imports_the_azure_trace_exactly(run_import: Import, shared: Shared) -> None:
    path = shared("azure-llm-2023/AzureLLMInferenceTrace_conv.csv")
    assert run_import(path, "azure-llm") == 0

    file = pd.read_csv(path)
    at = pd.to_datetime(file["TIMESTAMP"])
    file["day"] = at.dt.date
    truth = file.groupby("day").agg(
        operations=("TIMESTAMP", "size"), input_tokens=("ContextTokens", "sum"), output_tokens=("GeneratedTokens", "sum")
    )
    answer = asked([*COUNTS, "latency_p50", "cost"], at.min(), at.max())
    compare_counts(answer, truth.assign(errors=0))
    assert answer["latency_p50"].isna().all()


def test_it_imports_the_mooncake_trace_exactly(run_import: Import, shared: Shared) -> None:
    path = shared("mooncake/synthetic_trace.jsonl")
    assert run_import(path, "mooncake") == 0

    file = pd.read_json(path, lines=True)
    origin = maps.load("mooncake").times.origin
    assert origin is not None
    at = pd.Timestamp(origin) + pd.to_timedelta(file["timestamp"], unit="ms")
    file["day"] = at.dt.date
    truth = file.groupby("day").agg(
        operations=("timestamp", "size"), input_tokens=("input_length", "sum"), output_tokens=("output_length", "sum")
    )
    answer = asked([*COUNTS, "sessions"], at.min(), at.max())
    truth["errors"] = 0
    truth["sessions"] = file.assign(first=file["hash_ids"].str[0]).groupby("day")["first"].nunique()
    compare_counts(answer, truth)


def test_it_imports_the_gentd26_trace_exactly(run_import: Import, shared: Shared, tmp_path: Path) -> None:
    path = shared("gentd26/lora_request_trace.csv")
    assert run_import(path, "gentd26") == 0

    file = pd.read_csv(path)
    unfinished = file[file["predict_status"] == "PENDING"]
    report = pd.read_csv(tmp_path / "lora_request_trace.csv.rejected.csv")
    assert report["row"].tolist() == (unfinished.index + 1).tolist()
    assert set(report["reason"]) == {"column predict_status: unfinished"}

    done = file[file["predict_status"] != "PENDING"].copy()
    at = pd.to_datetime(done["gmt_create"])
    done["day"] = at.dt.date
    done["model"] = done["checkpoint_model_version_id"].fillna("(unknown)")
    done["failed"] = done["predict_status"] == "FAILED"
    done["ms"] = done["exec_time_seconds"] * 1_000
    for by, key in (("model", "model"), (None, "day")):
        groups = done.groupby(key)
        answer = asked([*COUNTS, *QUANTILES], at.min(), at.max(), by)
        truth = groups.agg(operations=("day", "size"), errors=("failed", "sum"))
        compare_counts(answer, truth)
        compare_quantiles(answer, {value: members["ms"].to_numpy() for value, members in groups})
    users = metrics.query(["users"], start=at.min().date(), end=at.max().date() + timedelta(days=1), interval="day").frame
    assert users["users"].tolist() == done.groupby("day")["groupId"].nunique().reindex(users["bucket"].dt.date, fill_value=0).tolist()


def test_it_imports_the_convai2_sessions_exactly(run_import: Import, shared: Shared) -> None:
    path = shared("convai2-sessions/data_volunteers.json")
    assert run_import(path, "convai2") == 0

    chats = json.loads(path.read_text(encoding="utf-8"))
    file = pd.DataFrame(
        {
            "at": pd.to_datetime([chat["start_time"] for chat in chats], format="ISO8601"),
            "ended": pd.to_datetime([chat["end_time"] for chat in chats], format="ISO8601"),
            "messages": [len(chat["dialog"]) for chat in chats],
            "rating": [chat["eval_score"] for chat in chats],
            "user": [chat["participant1_id"]["user_id"] for chat in chats],
        }
    )
    file["day"] = file["at"].dt.date
    file["seconds"] = (file["ended"] - file["at"]).dt.total_seconds()
    days = file.groupby("day")
    names = ["sessions_started", "session_users", "session_messages", "session_rating", "rated_share", "session_duration"]
    answer = asked(names, file["at"].min(), file["at"].max())
    truth = days.agg(
        sessions_started=("at", "size"),
        session_users=("user", "nunique"),
        session_messages=("messages", "mean"),
        session_rating=("rating", "mean"),
        session_duration=("seconds", "mean"),
    )
    truth["rated_share"] = days["rating"].count() / days.size()
    assert answer["sessions_started"].sum() == len(file)
    for name in names:
        assert answer.loc[truth.index, name].astype(float).tolist() == pytest.approx(truth[name].tolist(), rel=1e-6, nan_ok=True), name


def test_it_counts_a_trace_that_is_imported_twice_once(run_import: Import, shared: Shared) -> None:
    path = shared("azure-llm-2023/AzureLLMInferenceTrace_conv.csv")
    assert run_import(path, "azure-llm") == 0
    before = counted()
    assert run_import(path, "azure-llm") == 0
    assert counted() == before | {"waiting": 0}
    assert before["operations"] == before["rolled_up"] == 19_366
