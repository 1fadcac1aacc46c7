"""Find the files of dbt models, and the lines of their columns, for the annotations of a pull request."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

MAX_FILE_BYTES = 4_000_000


@dataclass(frozen=True)
class FileLine:
    """A line of a file, whose path is relative to the root of the repository."""

    path: str
    line: int = 1


@dataclass
class ModelFiles:
    """The files of a project's models: `nodes` are those of the manifest, `project` is the folder of the project.

    A model that is described in YAML is found there, any other one in its SQL.
    """

    nodes: dict[str, Any]
    project: Path
    root: Path
    _texts: dict[Path, list[str]] = field(default_factory=dict[Path, list[str]])

    @classmethod
    def of_manifest(cls, manifest: dict[str, Any], file: Path) -> "ModelFiles":
        """Find the files of a manifest that dbt has written to `target/manifest.json` of the project."""
        nodes: dict[str, Any] = {}
        for section in ("nodes", "sources"):
            entries = manifest.get(section)
            nodes |= entries if isinstance(entries, dict) else {}
        folder = file.resolve().parent
        project = folder.parent if folder.name == "target" else folder
        return cls(nodes, project, Path(os.environ.get("GITHUB_WORKSPACE") or Path.cwd()).resolve())

    def find(self, unique_id: str | None, columns: Iterable[str] = ()) -> FileLine | None:
        """Return the line of the first of these columns, else that of the model; None for an unknown model."""
        node = self.nodes.get(unique_id or "")
        if not isinstance(node, dict):
            return None
        sql, patch = _text(node.get("original_file_path")), _text(node.get("patch_path"))
        path = patch.partition("://")[2] or patch or sql
        if not path:
            return None
        file = self.project / path
        names = [column.partition(".")[0].partition("[")[0] for column in columns]
        line = self._find_line(file, _text(node.get("name")), names) if file.suffix in {".yml", ".yaml"} else 1
        return FileLine(self._relative_path(file), line)

    def find_models(self, files: Iterable[Path]) -> set[str]:
        """Return the ids of the models whose SQL, or whose description in YAML, is one of these files."""
        paths = {file.resolve() for file in files}
        return {
            unique_id
            for unique_id, node in self.nodes.items()
            if isinstance(node, dict)
            for path in (_text(node.get("original_file_path")), _text(node.get("patch_path")).rpartition("://")[2])
            if path and (self.project / path).resolve() in paths
        }

    def _relative_path(self, file: Path) -> str:
        try:
            return file.resolve().relative_to(self.root).as_posix()
        except ValueError:
            return file.relative_to(self.project).as_posix()

    def _find_line(self, file: Path, model: str, columns: Iterable[str]) -> int:
        lines = self._read(file)
        start = next((number for number, line in enumerate(lines, 1) if _names(line, model)), None)
        if start is None:
            return 1
        for column in columns:
            for number, line in enumerate(lines[start:], start + 1):
                if _names(line, column):
                    return number
        return start

    def _read(self, file: Path) -> list[str]:
        if file not in self._texts:
            try:
                is_small = file.stat().st_size <= MAX_FILE_BYTES
                self._texts[file] = file.read_text("utf-8", errors="replace").splitlines() if is_small else []
            except OSError:
                self._texts[file] = []
        return self._texts[file]


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _names(line: str, name: str) -> bool:
    """Whether a line of YAML is `name: NAME`, or the first line of such an entry of a list."""
    match = re.match(r"""\s*(?:-\s+)?name:\s*["']?([^"'#]*?)["']?\s*(?:#.*)?$""", line)
    return match is not None and bool(name) and match[1].strip().lower() == name.lower()
