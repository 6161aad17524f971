"""Every file is opened, listed and written through `files.py`, but for a few places, each with its reason."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.conftest import REPOSITORY

PACKAGES = ("pg_experiments", "hydra_plugins")
ITSELF = {"pg_experiments/support/files.py", "pg_experiments/support/descriptors.py"}
METHODS = {
    "chmod", "glob", "hardlink_to", "iterdir", "mkdir", "open", "read_bytes", "read_text", "rename",
    "rglob", "rmdir", "symlink_to", "touch", "truncate", "unlink", "walk", "write_bytes", "write_text",
}  # fmt: skip
FUNCTIONS = {
    "FileHandler", "FileLock", "NamedTemporaryFile", "OmegaConf.load", "OmegaConf.save", "SummaryWriter", "ZipFile",
    "copyfileobj", "json.dump", "json.load", "np.load", "np.loadtxt", "np.save", "np.savez", "open", "torch.load",
    "torch.save", "zipfile.ZipFile",
}  # fmt: skip
MODULES = {"shutil", "tempfile"}
OF_OS = {
    "chmod", "fwalk", "link", "listdir", "makedirs", "mkdir", "mkfifo", "open", "remove", "removedirs", "rename",
    "replace", "rmdir", "scandir", "symlink", "truncate", "unlink", "walk",
}  # fmt: skip
ALLOWED = {
    ("pg_experiments/__init__.py", "SavedRun.open"): "is no file",
    ("pg_experiments/evaluate.py", "SavedRun.open"): "is no file",
    ("pg_experiments/app/python_calls.py", "SavedRun.open"): "is no file",
    ("pg_experiments/variance/__init__.py", "SavedRun.open"): "is no file",
    ("pg_experiments/variance/__main__.py", "SavedRun.open"): "is no file",
    ("pg_experiments/run/checkpoint.py", "torch.load"): "of an open file",
    ("pg_experiments/run/checkpoint.py", "torch.save"): "into an open file",
    ("pg_experiments/run/checkpoint.py", "zipfile.ZipFile"): "of an open file",
    ("pg_experiments/support/errors.py", "path.parent.iterdir"): "names that a mistyped path may have meant",
    ("pg_experiments/evaluation/video.py", "NamedTemporaryFile"): "in the system's own directory, for the encoder",
    ("pg_experiments/evaluation/video.py", "av.open"): "the temporary file",
    ("pg_experiments/evaluation/video.py", "copyfileobj"): "between open files",
    (
        "pg_experiments/support/run_directory.py",
        "FileLock",
    ): "opens without following a link, after the name is checked",
}
TRUSTED = {
    "pg_experiments/app/option_files.py",  # reads the project's configs, and those of the user's own --config-dir
    "pg_experiments/support/available_memory.py",  # reads files of the kernel's, at fixed places
}


def accesses(file: Path) -> Iterator[tuple[str, int]]:
    """Each call that reaches files by itself, as it is written, with its line."""
    tree = ast.parse(file.read_text())
    safe = set(safe_names(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            call, function = ast.unparse(node.func), node.func
            holder, _, name = call.rpartition(".")
            reaches = call in FUNCTIONS or holder in MODULES or (holder == "os" and name in OF_OS)
            if isinstance(function, ast.Attribute) and not is_safe(function.value, safe):
                reaches = reaches or name in METHODS or is_path_replace(node, name)
            if reaches:
                yield call, node.lineno


def is_path_replace(call: ast.Call, name: str) -> bool:
    """Whether it is `path.replace(other)`, and not of a text or a dataclass."""
    return name == "replace" and len(call.args) == 1 and not call.keywords


def safe_names(tree: ast.Module) -> Iterator[str]:
    """What is annotated as `Directory`, or assigned from it."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and node.annotation is not None and ast.unparse(node.annotation) == "Directory":
            yield node.arg
        elif isinstance(node, ast.Assign):
            targets = node.targets[0].elts if isinstance(node.targets[0], ast.Tuple) else node.targets
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            for target, value in zip(targets, values, strict=False):
                if ast.unparse(value).startswith("Directory("):
                    yield ast.unparse(target)
        elif isinstance(node, ast.For) and ast.unparse(node.iter).startswith("map(Directory,"):
            yield ast.unparse(node.target)


def is_safe(holder: ast.expr, safe: set[str]) -> bool:
    """Whether methods of an expression are those of `Directory`."""
    text = ast.unparse(holder)
    return text in safe or text.startswith("Directory(") or text in ("self.files", "directory.files")


def test_files_are_reached_through_one_module():
    files = [file for package in PACKAGES for file in sorted((REPOSITORY / package).rglob("*.py"))]
    assert len(files) > 60
    found = {}
    for file in files:
        name = str(file.relative_to(REPOSITORY))
        if name not in ITSELF | TRUSTED:
            found |= {(name, call): line for call, line in accesses(file)}
    assert {f"{name}:{line} {call}" for (name, call), line in found.items() if (name, call) not in ALLOWED} == set()
    assert set(ALLOWED) - set(found) == set(), "a place that is no longer there"


def is_printable(shown: ast.expr) -> bool:
    """Whether an expression can hold no character of a stranger's that a terminal obeys: help, versions, exit codes."""
    if isinstance(shown, ast.JoinedStr):
        return all(is_printable(part.value) for part in shown.values if isinstance(part, ast.FormattedValue))
    ours = ("printable(", "one_line(", "help_text", "version_text", "SCRIPT")
    return isinstance(shown, ast.Constant | ast.BinOp) or ast.unparse(shown).startswith(ours)


def test_what_is_printed_goes_through_the_terminal_or_is_made_printable():
    consoles, careless = set(), []
    for file in sorted((REPOSITORY / "pg_experiments").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == "rich.console":
                consoles |= {file.name for alias in node.names if alias.name == "Console"}
            elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "sys.exit"):
                careless += [f"{file}:{node.lineno}" for shown in node.args if not is_printable(shown)]
    assert careless == []
    assert consoles == {"terminal.py", "table.py"}, "the table is only measured"


def test_each_way_to_reach_a_file_is_noticed(tmp_path):
    lines = [
        "open(path)", "path.open('w')", "Path('a').write_text('b')", "directory.glob('*')", "os.rename(a, b)",
        "path.replace(other)", "shutil.rmtree(path)", "np.load(path)", "torch.save(1, path)", "self.path.unlink()",
    ]  # fmt: skip
    unnoticed = ["text.replace('a', 'b')", "Directory(path).open('a', 1)", "files.glob('*')", "gym.make(name)"]
    module = tmp_path / "module.py"
    module.write_text("\n".join([*lines, *unnoticed, "def f(files: Directory): ..."]))
    assert sorted(line for _, line in accesses(module)) == list(range(1, len(lines) + 1))
