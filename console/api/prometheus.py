"""GET /metrics: the state of the background for Prometheus, computed from Postgres at each scrape; nothing is kept in this process.

What is not known has no sample: an absent line is honest where a zero would be a claim.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.registry import Collector
from starlette.responses import Response

from console.api.access import protected
from services.db import transaction
from services.jobs import counters, listing
from services.telemetry import overview

router = protected("metrics")
router.tags = ["metrics"]


@router.get(
    "/metrics",
    summary="The background for Prometheus",
    response_class=Response,
    responses={200: {"description": "Prometheus text", "content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def scrape() -> Response:
    """Queues, attempts, the reconciler, processes and telemetry. Counters survive restarts, as they are sums of rows."""
    with transaction() as connection:
        metrics = [
            *_queues(listing.queues(connection)),
            *_attempts(counters.attempts(connection)),
            *_rescues(counters.rescues(connection)),
            *_processes(counters.heartbeats(connection)),
            *_telemetry(overview.backlog(connection), overview.lag_ms(connection)),
        ]
    registry = CollectorRegistry()
    registry.register(Scrape(metrics))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_PLAIN_0_0_4, headers={"cache-control": "no-store"})


class Scrape(Collector):
    """One reading of everything."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def describe(self) -> Iterable[Metric]:
        """Nothing beforehand: registering must not read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def _queues(queues: Sequence[listing.Queue]) -> Iterator[Metric]:
    depth = GaugeMetricFamily("binnacle_queue_depth", "Jobs that are due and wait.", labels=["queue"])
    oldest = GaugeMetricFamily("binnacle_queue_oldest_wait_seconds", "How long the oldest due job has waited.", labels=["queue"])
    running = GaugeMetricFamily("binnacle_queue_running", "Jobs that run.", labels=["queue"])
    limit = GaugeMetricFamily("binnacle_queue_limit", "How many may run at once; absent: any number.", labels=["queue"])
    paused = GaugeMetricFamily("binnacle_queue_paused", "1 while the queue is paused.", labels=["queue"])
    for queue in queues:
        name = [queue.name]
        depth.add_metric(name, queue.depth)
        oldest.add_metric(name, queue.oldest_wait_s)
        running.add_metric(name, queue.running)
        paused.add_metric(name, queue.paused_at is not None)
        if queue.cap is not None:
            limit.add_metric(name, queue.cap)
    yield from (depth, oldest, running, limit, paused)


def _attempts(found: Sequence[counters.Attempts]) -> Iterator[Metric]:
    ended = CounterMetricFamily("binnacle_job_attempts", "Attempts that ended, by outcome.", labels=["queue", "kind", "outcome"])
    wait = SummaryMetricFamily("binnacle_job_pickup_seconds", "From due to running.", labels=["queue", "kind"])
    run = SummaryMetricFamily("binnacle_job_run_seconds", "From running to ended.", labels=["queue", "kind"])
    for row in found:
        ended.add_metric([row.queue, row.kind, row.outcome], row.n)
    for labels, group in groupby(found, lambda row: [row.queue, row.kind]):
        rows = list(group)
        n = sum(row.n for row in rows)
        wait.add_metric(labels, n, sum(row.wait_ms for row in rows) / 1_000)
        run.add_metric(labels, n, sum(row.run_ms for row in rows) / 1_000)
    yield from (ended, wait, run)


def _rescues(counted: Mapping[str, int]) -> Iterator[Metric]:
    actions = CounterMetricFamily("binnacle_reconciler_actions", "What the reconciler put right.", labels=["action"])
    for action, n in counted.items():
        actions.add_metric([action], n)
    yield actions


def _processes(beats: Sequence[counters.Heartbeats]) -> Iterator[Metric]:
    number = GaugeMetricFamily("binnacle_processes", "Processes that have beaten lately.", labels=["kind"])
    age = GaugeMetricFamily("binnacle_heartbeat_age_seconds", "Since the last heartbeat of any of them; absent: none.", labels=["kind"])
    for beat in beats:
        number.add_metric([beat.kind], beat.processes)
        if beat.age_s is not None:
            age.add_metric([beat.kind], beat.age_s)
    yield from (number, age)


def _telemetry(backlog: overview.Backlog, lag_ms: int | None) -> Iterator[Metric]:
    yield GaugeMetricFamily("binnacle_telemetry_backlog_records", "Records received and not yet counted.", value=backlog.rows)
    yield GaugeMetricFamily(
        "binnacle_telemetry_backlog_oldest_seconds", "How long the oldest of them has waited.", value=max(backlog.oldest_s or 0.0, 0.0)
    )
    if lag_ms is not None:
        yield GaugeMetricFamily(
            "binnacle_rollup_lag_seconds",
            "Longest way to the numbers in five minutes; absent: nothing came.",
            value=lag_ms / 1_000,
        )
