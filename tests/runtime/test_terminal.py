"""What commands say, where they say it, and with which exit status."""

import errno
import io
import json
import math
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from t2i.runtime import terminal
from t2i.runtime.errors import PictureError, T2IError, UsageError

TALK = "from t2i.runtime import terminal\nwith terminal.explaining_errors():\n    "


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def show_on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Make stderr a terminal; within the test, since pytest sets streams between its phases."""
    shown = Terminal()
    monkeypatch.setattr(sys, "stderr", shown)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return shown


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (PictureError("no bird", hint="look up"), 1, "error: no bird\n hint: look up\n"),
        (UsageError("no flag", hint="wave"), 2, "error: no flag\n hint: wave\n"),
        (KeyboardInterrupt(), 130, "stopped\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 1, ""),
        (
            OSError(errno.ENOSPC, "No space left on device", "x.png"),
            1,
            "error: x.png: No space left on device\n hint: make room on the disk\n",
        ),
        (
            PermissionError(errno.EACCES, "Permission denied", "x"),
            1,
            "error: x: Permission denied\n hint: check the path, and that you may use it\n",
        ),
    ],
)
def test_an_error_is_explained_and_decides_the_exit_status(
    error: BaseException, status: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped, terminal.explaining_errors():
        raise error
    assert stopped.value.code == status
    shown = capsys.readouterr()
    assert shown.err == said
    assert shown.out == ""


@pytest.mark.parametrize("mistake", [ValueError("ours"), OSError("without a number")])
def test_a_mistake_of_ours_keeps_its_traceback(mistake: Exception) -> None:
    with pytest.raises(type(mistake)), terminal.explaining_errors():
        raise mistake


def test_results_go_to_stdout_and_the_rest_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.report("wrote x.png", next="t2i-run")
    terminal.say("working")
    terminal.warn("odd", hint="even")
    terminal.table(("name", "px"), [("birds", 256), ("\x1b[31mred", 16)])
    terminal.print_json({"a": 1})
    shown = capsys.readouterr()
    assert shown.out.splitlines() == [
        "wrote x.png",
        "next: t2i-run",
        "name          px",
        "birds        256",
        "\\x1b[31mred   16",
        '{"a": 1}',
    ]
    assert shown.err.splitlines() == ["working", "warning: odd", " hint: even"]


def test_json_has_infinity_as_a_word_and_nothing_that_is_no_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    terminal.print_json({"psnr": math.inf, "name": "é\udc80"})
    line = capsys.readouterr().out
    assert line.isascii()
    assert json.loads(line) == {"psnr": "inf", "name": "é\udc80"}
    with pytest.raises(ValueError, match="JSON"):
        terminal.print_json({"psnr": math.nan})


def test_a_terminal_shows_colours_unless_it_is_asked_not_to(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tty = show_on_terminal(monkeypatch)
    terminal.warn("odd")
    assert tty.getvalue() == "\x1b[33mwarning:\x1b[0m odd\n"
    for name, value in (("NO_COLOR", "1"), ("TERM", "dumb")):
        tty.truncate(tty.seek(0))
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            terminal.warn("odd")
        assert tty.getvalue() == "warning: odd\n"


def test_text_from_elsewhere_cannot_steer_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = show_on_terminal(monkeypatch)
    terminal.say("a\x1b[2Jbird\r\x07\x9b\ttab")
    assert tty.getvalue() == "a\\x1b[2Jbird\\x0d\\x07\\x9b\ttab\n"


def test_any_text_can_be_said_in_any_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = io.TextIOWrapper(io.BytesIO(), encoding="ascii", newline="\n")
    monkeypatch.setattr(sys, "stdout", narrow)
    terminal.report("256 × 256 \udcff")
    assert narrow.buffer.getvalue() == b"256 \\xd7 256 \\udcff\n"


def test_remarks_may_get_lost_but_results_must_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    terminal.say("nobody listens")
    with terminal.progress("drawing", 1) as bar:
        bar.advance()
    monkeypatch.setattr(sys, "stdout", None)
    terminal.say("nobody at all listens")
    for tell in (terminal.report, lambda text: terminal.print_json({"text": text})):
        with pytest.raises(T2IError, match="standard output is closed"):
            tell("wrote x.png")


def test_a_log_gets_a_line_every_tenth_of_the_way(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "SOON_SECONDS", -1.0)
    with terminal.progress("drawing", 1000) as bar:
        for step in range(1000):
            bar.advance(note=f"loss {step}")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 10
    assert lines[0] == "drawing: 100 of 1,000 · 0:00:00 left · loss 99"
    assert lines[-1] == "drawing: 1,000 of 1,000 · loss 999"


def test_the_time_left_is_that_of_the_latest_pace(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = monotonic()
    monkeypatch.setattr(terminal, "monotonic", lambda: now)
    with terminal.progress("scoring", 1000) as bar:
        for step in range(1000):
            now += 2 if step < 500 else 60  # half was remembered
            bar.advance()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "scoring: 100 of 1,000 · 0:30:00 left"
    assert lines[-2:] == ["scoring: 900 of 1,000 · 1:40:00 left", "scoring: 1,000 of 1,000"]


def test_what_is_soon_over_leaves_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    with terminal.progress("drawing", 9) as bar:
        for _ in range(9):
            bar.advance()
    assert capsys.readouterr().err == ""


def test_work_without_a_known_end_is_told_ever_less_often(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "SOON_SECONDS", -1.0)
    with terminal.progress("reading", None) as bar:
        for _ in range(100):
            bar.advance()
    told = [int(line.rpartition(" ")[2]) for line in capsys.readouterr().err.splitlines()]
    assert told == [1, 2, 4, 8, 16, 32, 64]


def test_a_terminal_shows_a_bar_with_text_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    tty = show_on_terminal(monkeypatch)
    with terminal.progress("drawing", 3) as bar:
        bar.advance(3, note="[red]7[/red]")
        terminal.say("between")
    assert "3/3" in tty.getvalue()
    assert "[red]7[/red]" in tty.getvalue()
    assert "between" in tty.getvalue()


def test_results_stay_on_stdout_while_a_bar_is_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tty = show_on_terminal(monkeypatch)
    with terminal.progress("drawing", 1):
        terminal.print_json({"a": 1})
    assert capsys.readouterr().out == '{"a": 1}\n'
    assert '"a"' not in tty.getvalue()


def test_no_rich_is_imported_where_no_bar_is_shown() -> None:
    code = TALK + "with terminal.progress('x', 1): print('rich' in __import__('sys').modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_reader_that_has_seen_enough_gets_no_complaint() -> None:
    code = TALK + "for _ in range(100_000): terminal.report('x' * 100)"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as talking:
        assert talking.stdout
        assert talking.stderr
        talking.stdout.readline()
        talking.stdout.close()
        assert talking.stderr.read() == b""
        assert talking.wait() == 1


def test_a_full_disk_behind_stdout_is_an_error(tmp_path: Path) -> None:
    # Files may not grow: for the one who writes it is as if the disk were full.
    code = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n" + TALK
    with (tmp_path / "out").open("w") as out:
        done = subprocess.run(
            [sys.executable, "-c", code + "terminal.report('x')"],
            stdout=out,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == "error: File too large\n hint: make room on the disk\n"
