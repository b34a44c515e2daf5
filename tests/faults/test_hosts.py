"""Workers on two hosts share the work knowing only DATABASE_URL and REDIS_URL; one host goes away, the other does the rest."""

from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from sqlalchemy import text

from services.db import transaction
from tests.faults.hosts import Host, two_hosts
from tests.faults.oracle import Customers, Oracle, Provider, scalar
from tests.faults.plant import Plant, await_beats
from tests.faults.report import FULL, Fault, scale
from tests.system import wait_for


def by_host() -> Counter[str]:
    """Attempts that were done, by the host of their worker."""
    with transaction() as connection:
        done = connection.execute(text("select worker from job_attempts where outcome = 'done'")).scalars()
        return Counter(worker.split(".")[0] for worker in done)


def registered() -> set[tuple[str, str]]:
    with transaction() as connection:
        return {(kind, host) for kind, host in connection.execute(text("select kind, host from processes"))}


@pytest.mark.parametrize("apart", [True, False] if FULL else [True], ids=lambda apart: "networks" if apart else "names")
def test_two_hosts(plant: Plant, oracle: Oracle, fault: Fault, tmp_path: Path, apart: bool) -> None:
    jobs = scale(50, 600)
    provider = Provider("0.0.0.0")
    provider.bills = oracle.bills
    port = urlsplit(provider.url).port
    with two_hosts(plant, tmp_path, apart, NOTES=str(oracle.notes), LEASE_S="3") as hosts:
        for host in hosts:
            host.told["PROVIDER"] = f"http://{host.address}:{port}/"
        crews = {host.name: [host.launch(role) for role in ("dispatcher", "default")] for host in hosts}
        try:
            await_beats([process for crew in crews.values() for process in crew])
            present = registered()
            customers = Customers(oracle, plant.database_url, 15, lambda _: {"pause_s": 0.1})
            customers.most = jobs
            customers.start()
            wait_for(lambda: min(by_host()[host.name] for host in hosts) >= 5, "work done on both hosts", 60)
            shared = by_host()
            for process in crews["alpha"]:
                process.kill()
            customers.join()
            oracle.wait_until_quiet(60)
        finally:
            for process in (process for crew in crews.values() for process in crew):
                process.kill()
                process.wait()
            provider.close()
        fault.done = f"{jobs} jobs, a dispatcher and a worker on each of two hosts ({_how(hosts, plant)}); one killed whole on the way"
    fault.finds("processes on record", len(present & {(kind, host) for kind in ("dispatcher", "worker") for host in crews}), "=", 4)
    fault.finds("done by the first before it went", shared["alpha"], "≥", 5)
    fault.finds("done by the second", by_host()["beta"], "≥", 5)
    fault.finds("lost", oracle.lost(), "=", 0)
    fault.finds("effects twice", oracle.twice(), "=", 0)
    fault.finds("attempts lost with the host", scalar("select count(*) from job_attempts where outcome = 'lost'"))
    fault.holds()


def _how(hosts: list[Host], plant: Plant) -> str:
    """A host with a network of its own does not find the stores on itself."""
    if not hosts[0].prefix:
        return "a name and a folder each"
    port = urlsplit(plant.database_url).port
    assert port is not None
    assert not any(host.reaches(port) for host in hosts)
    return "a network and a name each"
