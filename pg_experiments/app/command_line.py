"""The Hydra command line: config directories, names of a sweep's jobs, and one-line errors."""

from __future__ import annotations

import os
import signal
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from pg_experiments.app.completion import SCRIPTS, rewrite_line
from pg_experiments.app.composing import composing
from pg_experiments.app.flags import Flags, split
from pg_experiments.app.help import help_text, help_text_of_keys
from pg_experiments.app.hints import Hints
from pg_experiments.app.launchers import launcher_settings
from pg_experiments.app.mistakes import explain, not_an_override
from pg_experiments.app.offered import for_workers, offer
from pg_experiments.app.option_files import OptionFiles
from pg_experiments.app.version import version_text
from pg_experiments.support import plugins
from pg_experiments.support.errors import UserError, one_line, shortened
from pg_experiments.support.interruption import deferred, stop


def config_directory() -> str:
    """The directory `conf/`: inside the package if installed from a wheel, beside the package in a clone."""
    package = Path(__file__).parents[1]
    inside = package / "conf"
    return str(inside if inside.is_dir() else package.parent / "conf")


def run_command(command: Callable[[], object]) -> None:
    """Run a Hydra command as a program. A user error is one line on stderr and exit code 1.

    With HYDRA_FULL_ERROR=1 in the environment, errors are raised with their traceback.
    """
    if os.environ.get("HYDRA_FULL_ERROR") == "1":
        _start(command, *_split(sys.argv[1:]))
        return
    os.environ["HYDRA_FULL_ERROR"] = "1"  # otherwise Hydra prints exceptions instead of raising them
    flags, overrides = Flags({}), list[str]()
    try:
        flags, overrides = _split(sys.argv[1:])
        _start(command, flags, overrides)
    except Exception as error:
        parsed = parse_overrides(overrides)
        mistake = explain(error, parsed, Hints(_directories(flags), flags.config_name, parsed))
        if mistake is not None:
            sys.exit(f"error: {one_line(mistake)}")
        where = next(iter(getattr(error, "__notes__", [])), "HYDRA_FULL_ERROR=1 shows where")
        sys.exit(f"error: {one_line(f'{type(error).__name__}: {error} ({where})')}")


def _split(arguments: list[str]) -> tuple[Flags, list[str]]:
    hints = Hints(
        [Path(config_directory())], "config", parse_overrides([text for text in arguments if text[:1] != "-"])
    )
    return split(arguments, hints.of_flag)


def _start(command: Callable[[], object], flags: Flags, overrides: list[str]) -> None:
    with deferred():
        plugins.load(flags.plugins)
    offer(plugins.registered(), [*plugins.config_directories(), *_directories(flags)])
    overrides, wanted = _take_preview(overrides)
    overrides, resumed = _take("resume", overrides)
    asked = [text for text in overrides if "=" not in text and "~" not in text] if "--help" in flags else []
    parsed = read_overrides([text for text in overrides if text not in asked])
    OptionFiles(_directories(flags)).check_own()
    if nameless := [str(override.input_line) for override in parsed if not override.key_or_group]:
        raise UserError(not_an_override(nameless[0], Hints(_directories(flags), flags.config_name, parsed)))
    if asked:
        print(help_text_of_keys(_directories(flags), flags.config_name, parsed, asked), end="")
        return
    if "--shell-completion" in flags:
        rewrite_line()
        if (wanted_script := " ".join(overrides)) in SCRIPTS:
            print(SCRIPTS[wanted_script])
            return
    if "--help" in flags:
        print(help_text(_directories(flags), [str(o.input_line) for o in parsed if not o.is_sweep_override()]))
        return
    if "--version" in flags:
        print(version_text())
        return
    sweeping = _is_sweep(flags, parsed)
    if resumed is not None:
        if sweeping:
            raise UserError(
                f"resume={resumed}: for one run; a sweep is resumed by its own command, with its hydra.sweep.dir"
            )
        if flags.given or wanted:
            with_what = next(iter(flags.given), "preview=true")
            raise UserError(f"resume={resumed}: takes the run's saved configuration and trains; not with {with_what}")
        from pg_experiments.app.resume import resume

        resume(resumed, parsed)
        return
    if sweeping or wanted:
        overrides = overrides + names_of_jobs(parsed)
        parsed = parse_overrides(overrides)
    if wanted:
        from pg_experiments.app.preview import preview

        preview(_directories(flags), flags.config_name, parsed, sweeping=sweeping)
        return
    overrides = overrides + launcher_settings(parsed) + for_workers(plugins.loaded())
    # flags first: argparse ends its list of overrides at a flag
    sys.argv[1:] = flags.arguments() + overrides
    if sweeping:
        _sweep(command, flags, parsed)
    else:
        command()


def _is_sweep(flags: Flags, overrides: list[Override]) -> bool:
    """Whether the command is a sweep, by the flag `-m` or by the key `hydra.mode`."""
    modes = [override for override in overrides if override.key_or_group == "hydra.mode"]
    for override in modes:
        if override.value() not in ("RUN", "MULTIRUN") or flags.sweeping:
            raise UserError(f"{override.input_line}: expected RUN or MULTIRUN, and no -m beside it")
    return flags.sweeping or any(override.value() == "MULTIRUN" for override in modes[-1:])


def _sweep(command: Callable[[], object], flags: Flags, overrides: list[Override]) -> None:
    """Run all jobs of a sweep, including after failures, and report them. Exits with 1 unless all are done.

    In a search the sweeper decides how many trials may fail.
    """
    from pg_experiments.app.sweep import Begun, JobFailed, refuse_changed
    from pg_experiments.app.sweep_progress import Progress
    from pg_experiments.app.sweep_report import report, wait_for_others

    for override in overrides:
        if override.key_or_group == "hydra.sweep.dir":
            with composing(_directories(flags), flags.config_name) as compose:
                refuse_changed(Path(str(override.value())), overrides, compose)
    Begun.forget()
    Progress.forget()
    failed: BaseException | None = None
    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, stop)  # otherwise processes started by a launcher would keep training
    try:
        command()
    except JobFailed:
        pass  # the report lists it
    except BaseException as error:
        failed = error
    good = True
    if Begun.directory is not None:
        with composing(_directories(flags), flags.config_name) as compose:
            if failed is None and Begun.jobs is not None:
                wait_for_others(Begun.directory, Begun.jobs, compose)
            good = report(Begun.directory, Begun.jobs, compose)
    if failed is not None:
        raise failed
    if not good and Begun.jobs is not None:
        sys.exit(1)


def _take_preview(overrides: list[str]) -> tuple[list[str], bool]:
    """Split off `preview=…`, which is not a key of a run. Returns the other overrides and its value."""
    rest, given = _take("preview", overrides)
    if given not in (None, "true", "false"):
        raise UserError(f"preview={given}: expected true or false; the nearest is true")
    return rest, given == "true"


def _take(name: str, overrides: list[str]) -> tuple[list[str], str | None]:
    """Split off the argument `name=…`, which is not a key of a run. Returns the other overrides and its last value."""
    rest = [override for override in overrides if not override.startswith(f"{name}=")]
    given = [override.removeprefix(f"{name}=") for override in overrides if override not in rest]
    return rest, given[-1] if given else None


def _directories(flags: Flags) -> list[Path]:
    """The project's config directory, then the user's."""
    return [Path(config_directory()), *flags.config_directories]


def read_overrides(overrides: Sequence[str]) -> list[Override]:
    """Parse the overrides with Hydra.

    Raises:
        HydraException: an argument is not an override.
        UserError: an override has a control character, or exceeds Python's limit of nesting or of digits.
    """
    parser = OverridesParser.create()
    read: list[Override] = []
    for override in overrides:
        if any(unicodedata.category(character) in ("Cc", "Cs") and character != "\t" for character in override):
            raise UserError(f"{shortened(override, 100)}: has a control character, or is no UTF-8 text; expected text")
        try:
            read += parser.parse_overrides([override])
        except (RecursionError, ValueError):
            raise UserError(f"{shortened(override, 100)}: cannot be read; it has too many digits or brackets") from None
    return read


def parse_overrides(overrides: Sequence[str]) -> list[Override]:
    """Parse the overrides with Hydra; an empty list where one cannot be parsed. `read_overrides` raises the error."""
    try:
        return read_overrides(overrides)
    except (HydraException, UserError):
        return []


def names_of_jobs(overrides: list[Override]) -> list[str]:
    """The override that leaves keys shared by all jobs of a sweep out of the names of their directories."""
    shared = [override.key_or_group for override in overrides if not override.is_sweep_override()]
    if len(shared) == len(overrides):
        return []
    return [f"hydra.job.config.override_dirname.exclude_keys=[{','.join(repr(key) for key in shared)}]"]
