"""What an adapter's README says is tested, and whether it is."""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

TOP = Path(__file__).parents[2]


def claims(readme: Path) -> list[tuple[str, str]]:
    """Which row says it, and what it says in its last column; of tables that have the column `tested by`."""
    found, is_claiming = [], False
    for line in readme.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not line.startswith("|"):
            is_claiming = False
        elif cells[-1] == "tested by":
            is_claiming = True
        elif is_claiming and set(cells[0]) != {"-"}:
            found.append((cells[0], cells[-1]))
    return found


def is_there(file: str, phrase: str) -> bool:
    """Whether a test in the file has these words in its name, in this order; `…` stands for any."""
    parts = [re.sub(r"[^a-z0-9]+", "_", part.lower()).strip("_") for part in phrase.split("…")]
    wanted = re.compile("test_.*" + ".*".join(map(re.escape, filter(None, parts))))
    return any(wanted.match(name) for name in _tests(file))


def unfounded(claim: str, files: Mapping[str, str]) -> Iterator[str]:
    """What a claim (`file: *phrase*, *phrase*; file: …`) says and is not so; `files` are the short names' paths."""
    for part in claim.split(";"):
        file, _, phrases = part.strip().partition(":")
        if file not in files or not _tests(files[file]):
            yield f"no tests in {file}"
            continue
        for phrase in re.findall(r"\*([^*]+)\*", phrases):
            if not is_there(files[file], phrase):
                yield f"no test called {phrase}"


def _tests(file: str) -> list[str]:
    tree = ast.parse((TOP / file).read_text(encoding="utf-8"))
    return [node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
