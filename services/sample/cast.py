"""Who appears in the sample: modules, the models they call, what their calls weigh, what their people talk about."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Model:
    """`first_s` to the first token and `tokens_per_s` after it are medians; `reasoning` is its share of the output."""

    provider: str
    name: str
    first_s: float
    tokens_per_s: float
    failure_rate: float
    reasoning: float = 0.0


@dataclass(frozen=True, slots=True)
class Module:
    """`share` of all calls; `prompt` and `answer` are median tokens; `turns` is the mean length of a session, 0 for none."""

    name: str
    share: float
    operations: tuple[tuple[str, float], ...]
    models: tuple[tuple[Model, float], ...]
    prompt: int
    answer: int
    users: int
    cached: float
    streaming: bool = False
    turns: float = 0.0
    themes: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (subject, its topics)


FLASH = Model("gcp.gemini", "gemini-2.5-flash", 0.45, 170, 0.008, reasoning=0.2)
PRO = Model("gcp.gemini", "gemini-2.5-pro", 1.6, 95, 0.012, reasoning=0.45)
GPT_MINI = Model("openai", "gpt-5-mini", 1.1, 110, 0.010, reasoning=0.4)
GPT = Model("openai", "gpt-4.1", 0.6, 85, 0.009)
SONNET = Model("anthropic", "claude-sonnet-4-5", 0.9, 70, 0.011)
HAIKU = Model("anthropic", "claude-haiku-4-5", 0.4, 140, 0.009)
LOCAL = Model("ollama", "llama3.2:3b", 0.25, 45, 0.020)

MODULES = (
    Module(
        name="communities",
        share=0.20,
        operations=(("summarise", 0.6), ("classify", 0.4)),
        models=((FLASH, 0.7), (GPT_MINI, 0.3)),
        prompt=2_600,
        answer=210,
        users=260,
        cached=0.14,
    ),
    Module(
        name="project_central",
        share=0.12,
        operations=(("report", 0.45), ("extract", 0.55)),
        models=((PRO, 0.45), (SONNET, 0.35), (GPT_MINI, 0.2)),
        prompt=4_200,
        answer=420,
        users=70,
        cached=0.06,
    ),
    Module(
        name="tutor",
        share=0.32,
        operations=(("explain", 0.5), ("hint", 0.3), ("check", 0.2)),
        models=((HAIKU, 0.5), (GPT_MINI, 0.35), (SONNET, 0.15)),
        prompt=1_500,
        answer=260,
        users=420,
        cached=0.02,
        streaming=True,
        turns=7.0,
        themes=(
            ("mathematics", ("fractions", "linear equations", "probability", "geometry")),
            ("science", ("photosynthesis", "forces", "electric circuits")),
            ("English", ("essay structure", "reading comprehension", "grammar")),
            ("history", ("sources", "industrial revolution")),
        ),
    ),
    Module(
        name="chat",
        share=0.26,
        operations=(("answer", 1.0),),
        models=((GPT, 0.4), (FLASH, 0.5), (LOCAL, 0.1)),
        prompt=1_900,
        answer=230,
        users=600,
        cached=0.04,
        streaming=True,
        turns=4.0,
        themes=(
            ("services", ("permits", "waste collection", "opening hours", "appointments")),
            ("money", ("council tax", "grants", "fees")),
            ("community", ("events", "volunteering", "complaints")),
        ),
    ),
    Module(
        name="factoids",
        share=0.10,
        operations=(("factoid", 1.0),),
        models=((FLASH, 0.6), (LOCAL, 0.4)),
        prompt=520,
        answer=70,
        users=180,
        cached=0.45,
    ),
)
COHORTS = ("autumn", "spring", "evening")
FAILURES = (("rate_limit", 0.42), ("timeout", 0.26), ("server_error", 0.2), ("invalid_json", 0.08), ("content_filter", 0.04))
