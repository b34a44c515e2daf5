"""The processes of a console and how the process manager keeps them: one table."""

import sys
from dataclasses import dataclass
from pathlib import Path

from deploy.embedded import Postgres, Valkey
from services.settings import ROOT, Settings

STORES = "stores"
CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class Program:
    """One process. `stop_s` is how long it may take to end before it is killed."""

    name: str
    group: str
    command: list[str]
    stop_signal: str = "TERM"
    stop_s: int = 8
    user: str | None = None
    folder: Path = ROOT


def workers_of(settings: Settings) -> dict[str, int]:
    """How many workers each queue has on this host."""
    return {"rollups": settings.workers_rollups, "default": settings.workers_default}


def console_programs(settings: Settings) -> list[Program]:
    """What makes up a console, wherever its stores are."""
    python = [sys.executable, "-m"]
    workers = [
        Program(f"worker-{queue}" + (f"-{number}" if number > 1 else ""), CONSOLE, [*python, "workers", "work", queue])
        for queue, wanted in workers_of(settings).items()
        for number in range(1, wanted + 1)
    ]
    return [
        Program("web", CONSOLE, [*python, "console", "ui"]),
        Program("telemetry", CONSOLE, [*python, "console", "api"]),
        Program("dispatcher", CONSOLE, [*python, "workers", "dispatch"]),
        *workers,
    ]


def postgres_program(postgres: Postgres, port: int) -> Program:
    """SIGINT is Postgres' fast shutdown; at SIGTERM it would wait until every client has left."""
    return Program("postgres", STORES, postgres.command(port), stop_signal="INT", stop_s=3, user=postgres.user, folder=Path("/"))


def valkey_program(valkey: Valkey, port: int) -> Program:
    """Writes its append-only file out at SIGTERM."""
    return Program("valkey", STORES, valkey.command(port), stop_s=3)


def configuration(programs: list[Program], folder: Path) -> str:
    """supervisord's configuration. Programs restart whenever they end; secrets come by environment, not by this file."""
    lines = [
        "[unix_http_server]",
        f"file={folder}/control.sock",
        "chmod=0600",
        "[supervisord]",
        "nodaemon=true",
        "silent=true",
        f"logfile={folder}/log/supervisord.log",
        "logfile_maxbytes=5MB",
        "logfile_backups=2",
        f"pidfile={folder}/supervisord.pid",
        f"childlogdir={folder}/log",
        "minfds=1024",
        *(["user=root"] if any(program.user for program in programs) else []),
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        lines += [
            f"[program:{program.name}]",
            f"command={' '.join(_quoted(word) for word in program.command)}",
            f"directory={program.folder}",
            f"autostart={'true' if program.group == STORES else 'false'}",
            "autorestart=true",
            "startsecs=1",
            "startretries=1000000",
            f"stopsignal={program.stop_signal}",
            f"stopwaitsecs={program.stop_s}",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={folder}/log/{program.name}.log",
            "stdout_logfile_maxbytes=5MB",
            "stdout_logfile_backups=2",
            *([f"user={program.user}"] if program.user else []),
        ]
    for priority, group in enumerate((STORES, CONSOLE), start=1):
        members = ",".join(program.name for program in programs if program.group == group)
        if members:
            # One group stops at a time, the last first; the members of a group stop together.
            lines += [f"[group:{group}]", f"programs={members}", f"priority={priority}"]
    return "\n".join(lines) + "\n"


def _quoted(word: str) -> str:
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'
