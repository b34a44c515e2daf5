"""python -m services: each command alone, and all of them together."""

import pytest

from services.__main__ import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_is_found_by_its_name(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: python -m services {command} " in capsys.readouterr().out


def test_help_lists_all_commands_and_no_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.startswith("    ") and line[4] != " "]
    assert [name for name in listed if name != "COMMAND"] == list(COMMANDS)


@pytest.mark.parametrize("told", [[], ["nonsense"]])
def test_what_is_no_command_is_refused_with_those_there_are(told: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(told)
    assert ended.value.code == 2
    assert "COMMAND" in capsys.readouterr().err
