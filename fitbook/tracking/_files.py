"""The files of one run: put and read in their place, and noted with their digests in the store."""

from __future__ import annotations

import builtins
import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path

from fitbook.artifacts import Artifacts, at_once, checked, copied, noted, pieces
from fitbook.entities import FileInfo, StoredFile
from fitbook.errors import DamagedFile, InvalidValue, NotFound
from fitbook.store import Store
from fitbook.tracking import _folders

_MB = 1_000_000
_TRANSFERS = 16


class RunFiles:
    """What tracking uses to write and read a run's files.

    A file whose content is not what was noted when it was written is never handed out: `DamagedFile` is raised. Files
    that are not noted were written by another tool, and pass. Two threads may write one file at once; of two processes
    that do, the note of one may meet the content of the other.

    Parameters
    ----------
    artifacts : Artifacts
        The run's place.
    store : Store
        Where the files are noted.
    run_id : str
        The run.
    """

    def __init__(self, artifacts: Artifacts, store: Store, run_id: str) -> None:
        self.artifacts = artifacts
        self.store = store
        self.run_id = run_id

    # -- writing -----------------------------------------------------------------------------------------------------

    def put(self, path: str, content: bytes | Path) -> StoredFile:
        """Write one file, given as bytes or as a local file to copy; overwrites."""
        return self.put_all({checked(path): content})[0]

    def put_all(
        self, files: Mapping[str, bytes | Path], done: Callable[[StoredFile], object] = lambda file: None
    ) -> builtins.list[StoredFile]:
        """Write several files, and note all in one go; ``done`` is told of each.

        If one can't be written, those that were stay, and are noted.
        """
        if not files:
            return []
        for path in files:
            checked(path)
        written: dict[str, StoredFile] = {}

        def write(path: str) -> None:
            written[path] = self.artifacts.put(path, files[path])
            done(written[path])

        sizes = [len(c) if isinstance(c, bytes) else _folders.size(c) for c in files.values()]
        if self.artifacts.remote:
            self._refuse_names_of_folders(files)
        with _writing(self.run_id, files):
            old = self._mark(files)
            try:
                at_once(write, files, self._workers(sizes))
            finally:
                # What another machine has after a failure nobody knows.
                kept = [] if self.artifacts.remote else [note for note in old if note.path not in written]
                self.store.record_files(self.run_id, [*written.values(), *kept])
        return [written[path] for path in files]

    def put_folder(self, local_dir: str | Path, artifact_path: str | None = None) -> builtins.list[StoredFile]:
        """Copy everything in a local folder, under ``artifact_path`` if given; looks at all of it before it begins.

        Raises
        ------
        InvalidValue
            There is a symbolic link in it, or it is one itself, or a name in it can't be that of an artifact.
        """
        folder = Path(local_dir)
        if folder.is_symlink():
            raise _folders.link(folder)
        prefix = f"{artifact_path}/" if artifact_path else ""
        found = {checked(prefix + path): file for path, file in _folders.scan(folder)}
        with _folders.progress(f"Writing {folder.name}", len(found), sum(map(_folders.size, found.values()))) as done:
            return self.put_all(found, lambda file: done(file.size))

    def delete(self, path: str) -> None:
        """Remove one file or a folder with all in it, and what is noted of it."""
        notes = self.store.recorded_files(self.run_id, checked(path))
        if notes:
            # First, for a note without its file says that something is lost.
            self.store.forget_files(self.run_id, path)
        try:
            self.artifacts.delete(path)
        except NotFound:
            if not notes:
                raise

    # -- reading -----------------------------------------------------------------------------------------------------

    def list(self, path: str = "") -> builtins.list[FileInfo]:
        """List what is directly inside a folder, by name; empty for a path that is not there."""
        return self.artifacts.list(path)

    def find(self, path: str = "") -> builtins.list[FileInfo]:
        """List every file below a folder, by path."""
        return self.artifacts.find(path)

    def read(self, path: str) -> bytes:
        """Read one file whole."""
        content = b""

        def look() -> StoredFile:
            nonlocal content
            content = self.artifacts.read(path)
            return noted(path, [content])

        self._check(path, self._note(path), look)
        return content

    def local_path(self, path: str = "") -> Path:
        """Give a file or folder as a local path, to be read only; what is elsewhere is downloaded for this process."""
        while True:
            notes = self._notes(path)
            local = self.artifacts.local_path(path)
            try:
                at_once(partial(self._check_local, path, local), notes, self._workers([note.size for note in notes]))
                return local
            except DamagedFile:
                if self._notes(path) == notes:
                    raise
                # It was written again meanwhile.

    def download(self, path: str, dst: str | Path) -> Path:
        """Copy a file or folder into the local folder ``dst``, which is made; each file appears there whole or not at all.

        Returns
        -------
        Path
            The copy: in ``dst``, under its own name; ``dst`` itself for all files of the run.
        """
        found = self.artifacts.find(path)
        if not found:
            self.artifacts.local_path(path)  # says what there is instead
        notes = {note.path: note for note in self._notes(path)}
        for lost in notes.keys() - {info.path for info in found}:
            raise DamagedFile(self.run_id, lost, _told(notes[lost]), "nothing")
        target = Path(dst) / path.rpartition("/")[2]
        with _folders.progress(
            f"Reading {target.name}", len(found), sum(info.file_size or 0 for info in found)
        ) as done:

            def fetch(info: FileInfo) -> None:
                with _folders.new_file(target / _below(info.path, path)) as file:

                    def look() -> StoredFile:
                        file.seek(0)
                        file.truncate()
                        with self.artifacts.open(info.path, info.file_size) as source:
                            return copied(info.path, pieces(source), file.write)

                    self._check(info.path, notes.get(info.path), look)
                done(info.file_size or 0)

            _folders.made(target if not found else target.parent)
            at_once(fetch, found, self._workers([info.file_size or 0 for info in found]))
        return target

    # -- what is noted -----------------------------------------------------------------------------------------------

    def _notes(self, path: str) -> builtins.list[StoredFile]:
        # Without a digest: being written now, or the process that did so was killed.
        return [note for note in self.store.recorded_files(self.run_id, path) if note.sha256]

    def _note(self, path: str) -> StoredFile | None:
        return next((note for note in self._notes(path) if note.path == path), None)

    def _mark(self, files: Mapping[str, object]) -> builtins.list[StoredFile]:
        """Note of files that are there already that they are being written, lest the old note meet the new content.

        Returns the old notes.
        """
        folder = os.path.commonpath(files) if len(files) > 1 else next(iter(files))
        old = [note for note in self._notes(folder) if note.path in files]
        self.store.record_files(self.run_id, [StoredFile(note.path, note.size, "") for note in old])
        return old

    def _refuse_names_of_folders(self, files: Mapping[str, object]) -> None:
        """A bucket takes a file ``a`` beside a file ``a/b``, and then neither can be copied to a disk."""
        tops = {path.partition("/")[0] for path in files}
        there = {note.path for note in self._notes(tops.pop() if len(tops) == 1 else "")}.union(files)
        clashes = _folders_of(files) & there or _folders_of(there) & files.keys()
        if clashes:
            raise InvalidValue(
                f"The artifact path {min(clashes)!r} can't be that of a file and of a folder; take another name, or delete "
                "what is there."
            )

    def _check(self, path: str, note: StoredFile | None, look: Callable[[], StoredFile]) -> None:
        """Look at a file until what is there is what is noted."""
        while True:
            found = look()
            if note is None or note.sha256 == found.sha256:
                return
            now = self._note(path)
            if now == note:
                raise DamagedFile(self.run_id, path, _told(note), _told(found))
            note = now  # it was written again meanwhile

    def _check_local(self, path: str, local: Path, note: StoredFile) -> None:
        copy = local / _below(note.path, path)
        try:
            with copy.open("rb") if self.artifacts.remote else self.artifacts.open(note.path) as file:
                found = noted(note.path, pieces(file))
        except (NotFound, FileNotFoundError):
            raise DamagedFile(self.run_id, note.path, _told(note), "nothing") from None
        if found.sha256 != note.sha256:
            raise DamagedFile(self.run_id, note.path, _told(note), _told(found))

    def _workers(self, sizes: builtins.list[int]) -> int:
        if self.artifacts.remote:
            return _TRANSFERS
        # Threads cost more than copying small files does.
        return min(4, os.cpu_count() or 1) if sum(sizes) > _MB * len(sizes) else 1


def _folders_of(paths: Iterable[str]) -> set[str]:
    return {path[:end] for path in paths for end, letter in enumerate(path) if letter == "/"}


def _told(file: StoredFile) -> str:
    return f"{file.size} bytes with sha256 {file.sha256}"


def _below(path: str, folder: str) -> str:
    return path[len(folder) :].lstrip("/")


# -- one writer of a file at a time ------------------------------------------------------------------------------------

_locks = [threading.Lock() for _ in range(64)]


def _forget_locks() -> None:
    _locks[:] = [threading.Lock() for _ in _locks]


os.register_at_fork(after_in_child=_forget_locks)


@contextlib.contextmanager
def _writing(run_id: str, paths: Mapping[str, object]) -> Iterator[None]:
    """Keep this process's other threads from writing the same files: the note of one would meet another's content."""
    with contextlib.ExitStack() as held:
        for number in sorted({hash((run_id, path)) % len(_locks) for path in paths}):
            held.enter_context(_locks[number])
        yield
