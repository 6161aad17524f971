"""Every block of code on every page does what it is there for.

Training is composed and checked, with every job of a sweep, as `preview=true` does. It is run, with tiny limits, where
another command of the page uses what it leaves. Commands that evaluate, resume or compare are run on tiny runs.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from pg_experiments import evaluate
from pg_experiments.compare import __main__ as compare
from pg_experiments.support.errors import one_line
from pg_experiments.variance import __main__ as variance
from tests.conftest import REPOSITORY
from tests.in_process import Ended, Train, plugins_of
from tests.pages import PAGES, Block, blocks, commands, name_of
from tests.saved_runs import save_run
from tests.sweeps import TINY

# blocks that are not run, so that there are no more of them without a reason
NOT_RUN = {
    "docs/command_line.md": 1,
    "docs/differentiable.md": 1,
    "docs/ladder.md": 1,
    "docs/pong.md": 1,
    "docs/resuming.md": 1,
    "docs/results/intervals.md": 1,
    "docs/results/pong.md": 3,
    "docs/scaling.md": 1,
    "docs/speed.md": 3,
    "docs/tensorboard.md": 1,
    "docs/tricks.md": 1,
    "docs/variance.md": 1,
    "examples/pg-suggestions/README.md": 1,
}
SCRIPTS = {"pg-train": "train", "pg-evaluate": "evaluate", "pg-compare": "compare", "pg-variance": "variance"}
EXTRAS = {"joblib": "joblib", "submitit": "submitit", "ray": "ray", "search": "optuna"}  # word of a command, package
GENERIC_RUN, GENERIC_SWEEP = Path("outputs/DATE/TIME"), Path("multirun/DATE/TIME")


def of_page(page: Path, *languages: str) -> list[Block]:
    return [block for block in blocks(page) if block.language in languages and not block.run_by]


def command_of(words: list[str]) -> tuple[str, list[str]]:
    """`train`, `evaluate`, `compare` or `variance` with the arguments; another word for other commands."""
    if words[:2] == ["python", "-m"]:
        name = words[2].removeprefix("pg_experiments.")
        return name, words[3:]
    return SCRIPTS.get(words[0], words[0]), words[1:]


def value_of(arguments: list[str], key: str) -> str | None:
    return next((argument.removeprefix(f"{key}=") for argument in arguments if argument.startswith(f"{key}=")), None)


class Reader:
    """Does what a page says, in a directory of its own."""

    def __init__(self, page: Path, run_here: Train, folder: Path, generic: Path) -> None:
        self.run, self.folder, self.generic = run_here, folder, generic
        self.plugin = [f"--plugin={package.parent}" for package in page.parent.glob("*/options.py")]  # of an example
        self.lines = [words for block in of_page(page, "") for words in commands(block.text)]
        for block in of_page(page, "python"):
            if file := re.match(r"# (\w+\.py)\n", block.text):
                (folder / file[1]).write_text(block.text)

    def follow(self, words: list[str], *, only_check: bool) -> None:
        """Does what a command says; with `only_check`, only checks its arguments."""
        name, arguments = command_of(words)
        if name in ("train", "evaluate", "compare", "variance"):
            if any(word in " ".join(arguments) and find_spec(package) is None for word, package in EXTRAS.items()):
                return
            ended = getattr(self, f"_{name}")([*self.plugin, *arguments], only_check)
            assert ended.code == 0, f"{' '.join(words)}\n{ended.err}"
        elif name == "pip":
            self._check_installation(arguments)
        elif words[:2] == ["python", "-m"]:
            assert find_spec(name), f"{' '.join(words)}: there is no such module"
            assert only_check, f"{' '.join(words)}: is not run by this test; say above the block why"
        else:
            assert only_check, f"{' '.join(words)}: is not run by this test; say above the block why"

    def _train(self, arguments: list[str], only_check: bool) -> Ended:
        given = [argument for argument in arguments if "hydra/launcher" not in argument]
        if value_of(arguments, "resume"):
            self._provide(arguments, "resume")
            return self.run("train", *[re.sub(r"(max_episodes)=\d+", r"\1=8", argument) for argument in arguments])
        if "experiment=search_cartpole" in arguments:  # its sweeper chooses the jobs as it goes
            return self.run("train", "--cfg", "hydra", *[argument for argument in arguments if argument != "-m"])
        if "--help" in arguments or "preview=true" in arguments:
            return self.run("train", *arguments)
        checked = self.run("train", *arguments, "preview=true")
        directory = value_of(arguments, "hydra.sweep.dir") or value_of(arguments, "hydra.run.dir")
        if checked.code or only_check or not directory or not self._is_used(directory):
            return checked
        tiny = [re.sub(r"num_seeds=\d+", "num_seeds=2", a) for a in given if not a.startswith("env.max_")]
        return self.run("train", *tiny, *[limit for limit in TINY if not value_of(tiny, limit.partition("=")[0])])

    def _is_used(self, directory: str) -> bool:
        """Whether a command of the page evaluates, compares or resumes what is in this directory."""
        return any(directory in (value_of(w, k) or "") for w in self.lines for k in ("sweep", "run", "resume"))

    def _evaluate(self, arguments: list[str], only_check: bool) -> Ended:
        if "--help" in arguments:
            return self.run("evaluate", *arguments)
        if only_check:
            evaluate.parse(arguments)
            return Ended(0, "", "")
        self._provide(arguments, "run")
        tiny = [argument for argument in arguments if not argument.startswith(("episodes=", "video"))]
        return self.run("evaluate", *tiny, "episodes=2")

    def _compare(self, arguments: list[str], only_check: bool) -> Ended:
        if "--help" in arguments:
            return self.run("compare", *arguments)
        self._provide(arguments, "sweep")
        if only_check:
            compare.parse(arguments)
            return Ended(0, "", "")
        return self.run("compare", *arguments)

    def _variance(self, arguments: list[str], only_check: bool) -> Ended:
        variance.parse(arguments)
        if only_check or "--help" in arguments:
            return Ended(0, "", "")
        if value_of(arguments, "run"):
            self._provide(arguments, "run")
        tiny = [argument for argument in arguments if not argument.startswith(("episodes=", "batch="))]
        return self.run("variance", *tiny, "episodes=20", "batch=2")

    def _provide(self, arguments: list[str], key: str) -> None:
        """A tiny run or sweep at each path that a command reads, where no command before has made one."""
        source = self.generic / (GENERIC_SWEEP if key == "sweep" else GENERIC_RUN)
        for path in (value_of(arguments, key) or "").split(","):
            target = GENERIC_RUN if path == "latest" else Path(path)
            if not (self.folder / target).exists():
                shutil.copytree(source, self.folder / target)

    def _check_installation(self, arguments: list[str]) -> None:
        """The files are there, and the project has the extras."""
        project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
        for argument in arguments:
            if argument.startswith(("requirements", "./")):
                assert (REPOSITORY / argument).exists(), argument
            if found := re.match(r"(?:\.|pg-experiments)\[([\w,]+)\]", argument):
                assert set(found[1].split(",")) <= set(project["optional-dependencies"]), argument


@pytest.fixture(scope="module")
def generic(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with a tiny run and a tiny sweep under the names that pages use for any."""
    folder = tmp_path_factory.mktemp("generic")
    save_run(folder / GENERIC_RUN, "env.max_episodes=4", "num_seeds=4")
    for number, (hidden, baseline) in enumerate([(4, "none"), (8, "none"), (4, "value"), (8, "value")]):
        overrides = (f"policy.hidden={hidden}", f"baseline={baseline}")
        job = folder / GENERIC_SWEEP / f"{number}_{','.join(overrides)}"
        save_run(job, *overrides, "env.max_episodes=4", "num_seeds=2")
        (job / ".hydra" / "overrides.yaml").write_text(yaml.safe_dump(list(overrides)))
    return folder


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory whose plugins are forgotten afterwards."""
    with plugins_of(tmp_path), plugins_of(REPOSITORY / "examples"):
        yield tmp_path


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_commands_of_a_page_do_what_they_say(page, run_here, place, generic):
    reader = Reader(page, run_here, place, generic)
    for block in of_page(page, ""):
        for words in commands(block.text):
            reader.follow(words, only_check=bool(block.not_run))


def examples(page: Path) -> Iterator[tuple[list[str], str]]:
    """Each command of a page's `console` blocks with what it prints."""
    for block in of_page(page, "console"):
        for part in block.text.removeprefix("$ ").split("\n$ "):
            line, _, printed = part.partition("\n")
            yield from ((words, printed) for words in commands(line))


@pytest.mark.parametrize("page", [page for page in PAGES if list(examples(page))], ids=name_of)
def test_the_examples_of_a_page_print_what_it_shows(page, run_here, place):
    """`…` stands for anything."""
    for words, printed in examples(page):
        name, arguments = command_of(words)
        ended = run_here(name, *arguments)
        pattern = ".*".join(re.escape(one_line(part)) for part in printed.split("…"))
        assert re.search(pattern, one_line(ended.out + ended.err)), f"{' '.join(words)}\n{ended.out}{ended.err}"


def scripts(page: Path) -> list[Block]:
    """The blocks of Python that are no files."""
    return [b for b in of_page(page, "python") if not b.not_run and not re.match(r"# \w+\.py\n", b.text)]


@pytest.mark.parametrize("page", [page for page in PAGES if scripts(page)], ids=name_of)
def test_the_scripts_of_a_page_run(page, place, generic, monkeypatch):
    """One after another in one namespace, as somebody would who reads the page."""
    shutil.copytree(generic, place, dirs_exist_ok=True)
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["python"])
    names: dict[str, object] = {"__name__": "__main__"}
    for block in scripts(page):
        exec(compile(block.text, f"{name_of(page)}:{block.line}", "exec", dont_inherit=True), names)
    if page.name == "README.md":
        assert names["env"].observation_space.contains(names["observation"])
        assert names["reward"] == 1


def test_every_block_says_what_it_is_and_few_are_not_run():
    languages = {block.language for page in PAGES for block in blocks(page)}
    assert languages <= {"", "console", "python", "text", "yaml", "toml", "json"}
    counts = Counter(name_of(page) for page in PAGES for block in blocks(page) if block.not_run)
    assert counts == NOT_RUN
    for page in PAGES:
        for block in blocks(page):
            assert not block.run_by or (REPOSITORY / block.run_by).is_file()
