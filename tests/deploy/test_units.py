"""The systemd units start what the process manager starts, and stop it as it wants to be stopped."""

import shlex
import shutil
import subprocess
from configparser import RawConfigParser
from pathlib import Path

import pytest

from console.__main__ import GRACE_S as REQUESTS_END_S
from deploy.__main__ import LEAN
from deploy.programs import Program, console_programs
from services.settings import ROOT, Settings
from workers.running import GRACE_S as JOBS_END_S

FOLDER = ROOT / "deploy" / "systemd"
INSTALLED = "/opt/binnacle"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
LASTING = [name for name in SERVICES if name != "binnacle-prepare.service"]
OWN = {"Type", "ExecStart", "KillMode", "TimeoutStopSec", "TimeoutStartSec", "OOMPolicy", "Restart", "RemainAfterExit"}
SAYS = '#!/bin/sh\nprintf "%s\\n" "$@"\n'  # a python that only says what it was told
EXPOSED = 25  # of 100, in tenths: what systemd calls a service that is well shut in


def unit(name: str) -> RawConfigParser:
    """Refuses a key that comes twice."""
    read = RawConfigParser(delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string((FOLDER / name).read_text())
    return read


def started(name: str, folder: Path, instance: str = "") -> list[str]:
    """What python is told when the unit's own command runs with the console installed in `folder`."""
    python = folder / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(SAYS)
    python.chmod(0o755)
    command = unit(name)["Service"]["ExecStart"].replace(INSTALLED, str(folder)).replace("%i", instance)
    read_by_systemd = shlex.split(command.replace("$$", "$").replace("%%", "%"))
    return subprocess.run(read_by_systemd, check=True, capture_output=True, text=True).stdout.splitlines()


def words(program: Program) -> list[str]:
    return program.command[1:]


def test_together_they_start_the_programs_of_a_console(tmp_path: Path) -> None:
    programs = {program.name: words(program) for program in console_programs(Settings())}
    workers = [name for name in programs if name.startswith("worker-")]
    alone = [started(f"binnacle-{name}.service", tmp_path) for name in programs if name not in workers]
    several = [started("binnacle-worker@.service", tmp_path, f"{name.removeprefix('worker-')}-{n}") for name in workers for n in (1, 12)]
    assert alone == [programs[name] for name in programs if name not in workers]
    assert several == [programs[name] for name in workers for _ in (1, 12)]
    assert {f"binnacle-{name}.service" for name in programs if name not in workers} | {"binnacle-worker@.service"} == set(LASTING)
    assert started("binnacle-prepare.service", tmp_path) == ["-m", "deploy.prepare"]


@pytest.mark.parametrize("name", LASTING)
def test_each_comes_back_and_is_asked_to_end_before_it_is_made_to(name: str) -> None:
    service = unit(name)["Service"]
    assert (service["Restart"], unit(name)["Unit"]["StartLimitIntervalSec"]) == ("always", "0")
    assert service["KillMode"] == "mixed", "a job's process would be told to end beside its worker, and again by it"
    assert service["OOMPolicy"] == "continue", "one job that outgrows the memory would take its worker along"
    assert int(service["TimeoutStopSec"]) >= 2 * max(JOBS_END_S, REQUESTS_END_S)


def test_the_process_manager_waits_longer_than_anything_takes_to_end() -> None:
    assert min(program.stop_s for program in console_programs(Settings())) > max(JOBS_END_S, REQUESTS_END_S) + 2


@pytest.mark.parametrize("name", SERVICES)
def test_all_run_shut_in_alike_with_their_secrets_from_a_file(name: str) -> None:
    service = {key: value for key, value in unit(name)["Service"].items() if key not in OWN}
    assert service == {key: value for key, value in unit("binnacle-worker@.service")["Service"].items() if key not in OWN}
    assert service["EnvironmentFile"] == "/etc/binnacle/environment"
    assert dict(pair.split("=") for pair in service["Environment"].split()) == LEAN
    assert (service["User"], service["NoNewPrivileges"], service["ProtectSystem"]) == ("binnacle", "yes", "strict")


@pytest.mark.parametrize("name", [*SERVICES, "binnacle.target"])
def test_the_target_is_what_starts_and_stops_them(name: str) -> None:
    wanted_by = unit(name)["Install"]["WantedBy"]
    assert wanted_by == ("multi-user.target" if name == "binnacle.target" else "binnacle.target")
    assert name == "binnacle.target" or unit(name)["Unit"]["PartOf"] == "binnacle.target"


def test_the_example_of_the_environment_is_one_that_settings_take(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [line for line in (FOLDER / "environment").read_text().splitlines() if line and not line.startswith("#")]
    for name, value in (line.split("=", 1) for line in lines):
        assert name.lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    assert Settings().redis_url is not None


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="this machine has no systemd to ask")
def test_systemd_takes_them_and_finds_them_shut_in(tmp_path: Path) -> None:
    for path in FOLDER.glob("binnacle*"):
        (tmp_path / path.name).write_text(path.read_text().replace(INSTALLED, str(ROOT)))
    names = [name.replace("@.", "@default-1.") for name in SERVICES]
    verified = analyze("verify", "--man=no", *(str(tmp_path / name) for name in [*names, "binnacle.target"]))
    ours = [line for line in verified.stderr.splitlines() if "binnacle" in line]  # it also reads what the machine has
    assert (verified.returncode, ours) == (0, [])
    for name in names:
        judged = analyze("security", "--offline=true", f"--threshold={EXPOSED}", str(tmp_path / name))
        assert judged.returncode == 0, judged.stdout.strip().splitlines()[-1]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["systemd-analyze", *arguments], capture_output=True, text=True)
