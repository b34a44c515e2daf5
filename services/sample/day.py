"""One day of sample traffic, drawn a column at a time."""

from dataclasses import dataclass
from math import isnan

import numpy as np
import pandas as pd

from services.sample.cast import COHORTS, FAILURES, MODULES, Module
from services.sample.plan import SILENT_HOURS, Plan

Record = dict[str, object]
Random = np.random.Generator

# Calls per hour of a local day: people work, lunch shows, nights are quiet.
HOURS = np.array([2, 1, 1, 1, 1, 2, 6, 18, 48, 78, 92, 86, 60, 72, 90, 88, 74, 52, 30, 24, 20, 16, 9, 4], dtype=float)
STAGING = 0.06
SPIKE_MODULE, SPIKE_FACTOR = "project_central", 12
OUTAGE_PROVIDER, BURST_S, BURST_RETRIES, TIMEOUT_S = "anthropic", 35 * 60, 3, 60.0
LONGEST_S = 120.0
SLOW_SHARE = 0.02
RATED_SHARE = 0.45
PREFIX_CACHING = ("openai", "anthropic", "gcp.gemini")
TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens")
WHERE = ("id", "started_at", "environment", "module", "operation", "provider", "model")
FIELDS = (*WHERE, "latency_ms", "ttft_ms", *TOKENS, "cached", "error_type", "user_id", "session_id")


@dataclass(frozen=True, slots=True)
class Day:
    """Records for the inbox."""

    operations: list[Record]
    sessions: list[Record]


def draw(plan: Plan, age: int) -> Day:
    """The traffic of the day `age` days before the anchor, none of it after the anchor."""
    random = plan.random(age)
    parts = [_module(module, plan, age, random) for module in MODULES]
    calls = pd.concat(parts, ignore_index=True)
    calls = _outage(calls, plan.outage(), random).sort_values("started_at", kind="stable", ignore_index=True)
    calls["id"] = [f"{plan.day(age):%Y%m%d}-{number}" for number in range(len(calls))]
    calls = calls[calls["started_at"] + calls["latency_ms"] / 1_000 <= plan.anchor.timestamp()]
    sessions = _sessions(calls[calls["session_id"].notna()], random)
    return Day(_records(calls[list(FIELDS)]), sessions)


def _module(module: Module, plan: Plan, age: int, random: Random) -> pd.DataFrame:
    count = round(plan.calls(age) * module.share)
    calls = _sittings(module, plan, age, count, random) if module.turns else _singles(module, plan, age, count, random)
    calls["module"] = module.name
    calls["operation"] = _pick(module.operations, count, random)
    calls["theme"] = -1 if not module.themes else calls["sitting"] % len(module.themes)
    model = random.choice(len(module.models), size=count, p=[weight for _, weight in module.models])
    calls["provider"] = np.array([one.provider for one, _ in module.models], dtype=object)[model]
    calls["model"] = np.array([one.name for one, _ in module.models], dtype=object)[model]
    _weigh(calls, module, model, plan.spike(), random)
    return calls


def _singles(module: Module, plan: Plan, age: int, count: int, random: Random) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "started_at": plan.start(age) + _seconds(count, random),
            "user_id": _users(module, count, random),
            "environment": _environments(count, random),
            "session_id": np.full(count, None, dtype=object),
            "turn": 0,
            "sitting": -1,
        }
    )


def _sittings(module: Module, plan: Plan, age: int, count: int, random: Random) -> pd.DataFrame:
    """Calls in sessions: a person, a start, and turns with pauses between."""
    turns = random.geometric(1 / module.turns, size=count)
    sitting = np.repeat(np.arange(count), turns)[:count]
    turn = np.arange(count) - np.searchsorted(sitting, sitting)
    pauses = np.where(turn == 0, 0.0, random.lognormal(np.log(45), 0.7, count))
    elapsed = pauses.cumsum()
    started = _seconds(count, random)[sitting] + elapsed - elapsed[np.searchsorted(sitting, sitting)]
    return pd.DataFrame(
        {
            "started_at": plan.start(age) + started,
            "user_id": _users(module, count, random)[sitting],
            "environment": _environments(count, random)[sitting],
            "session_id": np.array([f"{module.name}-{plan.day(age):%Y%m%d}-{number}" for number in sitting], dtype=object),
            "turn": turn,
            "sitting": sitting,
        }
    )


def _weigh(calls: pd.DataFrame, module: Module, which: np.ndarray, spike: tuple[float, float], random: Random) -> None:
    """Tokens, latency, errors and cache hits of a module's calls."""
    count, models = len(calls), [model for model, _ in module.models]
    asked = random.lognormal(np.log(module.prompt), 0.45, count) + calls["turn"] * (module.answer + 120)
    if module.name == SPIKE_MODULE:
        asked = asked.where(~calls["started_at"].between(*spike), asked * SPIKE_FACTOR)
    prompt = np.asarray(asked).round()
    answer = np.maximum(random.lognormal(np.log(module.answer), 0.6, count).round(), 1)
    reasoning = (answer * np.array([model.reasoning for model in models])[which]).round()
    kept = np.isin(calls["provider"], PREFIX_CACHING) & (prompt > 1_024) & (random.random(count) < np.where(calls["turn"] > 0, 0.7, 0.25))
    read = np.where(kept, (prompt * random.uniform(0.4, 0.85, count)).round(), 0)
    written = np.where(kept & (calls["provider"] == OUTAGE_PROVIDER), ((prompt - read) * 0.5).round(), 0)
    first = np.array([model.first_s for model in models])[which] * random.lognormal(0, 0.35, count) + prompt / 60_000
    slow = np.where(random.random(count) < SLOW_SHARE, 1 + random.pareto(1.6, count), 1)
    lasts = np.minimum((first + answer / np.array([model.tokens_per_s for model in models])[which]) * slow, LONGEST_S)
    calls["latency_ms"] = lasts * 1_000
    calls["ttft_ms"] = np.minimum(first * slow, lasts) * 1_000 if module.streaming else np.nan
    for name, told in zip(TOKENS, (prompt, answer, read, written, reasoning), strict=True):
        calls[name] = told
    _fail(calls, random.random(count) < np.array([model.failure_rate for model in models])[which], random)
    _answer_from_cache(calls, (random.random(count) < module.cached) & calls["error_type"].isna().to_numpy(), random)


def _fail(calls: pd.DataFrame, failed: np.ndarray, random: Random) -> None:
    """A refused call used no tokens; what a call that timed out used, nobody was told."""
    kind = _pick(FAILURES, len(calls), random)
    kind[~failed] = None
    calls["error_type"] = kind
    refused = np.isin(calls["error_type"], ("rate_limit", "server_error"))
    timed_out = (calls["error_type"] == "timeout").to_numpy()
    calls.loc[refused, list(TOKENS)] = 0.0
    calls.loc[timed_out, list(TOKENS)] = np.nan
    calls.loc[refused, "latency_ms"] = random.uniform(80, 400, int(refused.sum()))
    calls.loc[timed_out, "latency_ms"] = TIMEOUT_S * 1_000 + random.uniform(0, 400, int(timed_out.sum()))
    calls.loc[failed, "ttft_ms"] = np.nan


def _answer_from_cache(calls: pd.DataFrame, cached: np.ndarray, random: Random) -> None:
    calls["cached"] = cached
    calls.loc[cached, list(TOKENS)] = 0.0
    calls.loc[cached, "latency_ms"] = random.gamma(2, 3, int(cached.sum())) + 1
    calls.loc[cached, "ttft_ms"] = np.nan


def _outage(calls: pd.DataFrame, window: tuple[float, float], random: Random) -> pd.DataFrame:
    """A provider's bad morning: a burst of timeouts with retries, then quick refusals, then silence because its callers gave up."""
    start, end = window
    theirs = (calls["provider"] == OUTAGE_PROVIDER) & ~calls["cached"]
    calls = calls[~(theirs & calls["started_at"].between(end, end + SILENT_HOURS * 3_600))].copy()
    hit = (calls["provider"] == OUTAGE_PROVIDER) & ~calls["cached"] & calls["started_at"].between(start, end)
    burst = hit & (calls["started_at"] < start + BURST_S)
    calls.loc[hit, "error_type"] = "server_error"
    calls.loc[hit, list(TOKENS)] = 0.0
    calls.loc[hit, "latency_ms"] = random.uniform(200, 600, int(hit.sum()))
    calls.loc[hit, "ttft_ms"] = np.nan
    calls.loc[burst, "error_type"] = "timeout"
    calls.loc[burst, list(TOKENS)] = np.nan
    calls.loc[burst, "latency_ms"] = TIMEOUT_S * 1_000 + random.uniform(0, 400, int(burst.sum()))
    retries = pd.concat([calls[burst]] * BURST_RETRIES, ignore_index=True)
    retries["started_at"] += random.uniform(61, 240, len(retries))
    return pd.concat([calls, retries], ignore_index=True) if len(retries) else calls


def _sessions(calls: pd.DataFrame, random: Random) -> list[Record]:
    """A record for each session: what its application tells at its end."""
    ended = calls.assign(ended_at=calls["started_at"] + calls["latency_ms"] / 1_000, failed=calls["error_type"].notna())
    told = ended.groupby("session_id", sort=True).agg(
        started_at=("started_at", "min"),
        ended_at=("ended_at", "max"),
        environment=("environment", "first"),
        module=("module", "first"),
        user_id=("user_id", "first"),
        theme=("theme", "first"),
        turns=("turn", "size"),
        failures=("failed", "sum"),
    )
    themes = {module.name: module.themes for module in MODULES}
    moods = np.clip(np.floor(random.normal(np.where(told["failures"] > 0, 3.1, 4.3), 0.9) + 0.5), 1, 5).astype(int)
    rated = random.random(len(told)) < RATED_SHARE
    picks = random.random((len(told), 2))
    records: list[Record] = []
    rows = told.reset_index().to_dict("records")
    for session, mood, is_rated, pick in zip(rows, moods.tolist(), rated.tolist(), picks.tolist(), strict=True):
        subject, topics = themes[session["module"]][session["theme"]]
        records.append(
            {
                "id": session["session_id"],
                "started_at": session["started_at"],
                "ended_at": session["ended_at"],
                "environment": session["environment"],
                "module": session["module"],
                "user_id": session["user_id"],
                "subject": subject,
                "cohort": COHORTS[int(session["user_id"][-1]) % len(COHORTS)],
                "messages": 2 * session["turns"] - session["failures"],
                "rating": mood if is_rated else None,
                "topics": sorted({topics[int(chance * len(topics))] for chance in pick}),
            }
        )
    return records


def _records(calls: pd.DataFrame) -> list[Record]:
    """Rows as the inbox takes them: unknown is None, counts are whole."""
    columns = {name: calls[name].tolist() for name in FIELDS}
    for name in ("latency_ms", "ttft_ms"):
        columns[name] = [None if isnan(value) else value for value in columns[name]]
    for name in TOKENS:
        columns[name] = [None if isnan(value) else int(value) for value in columns[name]]
    for name in ("error_type", "session_id"):
        columns[name] = [value if isinstance(value, str) else None for value in columns[name]]
    return [dict(zip(FIELDS, told, strict=True)) for told in zip(*columns.values(), strict=True)]


def _seconds(count: int, random: Random) -> np.ndarray:
    """Seconds into a day, most of them in working hours."""
    return np.asarray((random.choice(24, size=count, p=HOURS / HOURS.sum()) + random.random(count)) * 3_600)


def _users(module: Module, count: int, random: Random) -> np.ndarray:
    """Zipf: a few people do much of the work."""
    weights = 1 / (np.arange(module.users) + 3.0) ** 1.1
    names = np.array([f"{module.name}-user-{number:03d}" for number in range(module.users)], dtype=object)
    return np.asarray(names[random.choice(module.users, size=count, p=weights / weights.sum())])


def _environments(count: int, random: Random) -> np.ndarray:
    return np.where(random.random(count) < STAGING, "staging", "production").astype(object)


def _pick(weighted: tuple[tuple[str, float], ...], count: int, random: Random) -> np.ndarray:
    names = np.array([name for name, _ in weighted], dtype=object)
    return np.asarray(names[random.choice(len(names), size=count, p=[weight for _, weight in weighted])])
