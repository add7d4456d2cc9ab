"""Pictures that the labeled CSV or training already uses, told by their source and by their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.contracts.labeled import RETRAIN_PREFIX, LabeledRow
from pipeline.contracts.retraining import RetrainingManifest
from pipeline.contracts.text import note_value
from pipeline.support.commons_urls import file_url, normalized_file_name, source_key
from pipeline.support.files import sha256_file
from pipeline.support.sources import SourceFinder, is_remote


@dataclass(frozen=True, slots=True)
class _Use:
    where: str
    url: str
    notes: str
    training: bool
    finder: SourceFinder


class UsedPictures:
    """What a holdout picture must not be.

    Local pictures are looked at only where a candidate has their exact size, so that 200,000 rows cost a
    ``stat`` each and no reading. Rows whose picture is not here are counted in ``missing``: their bytes
    cannot be compared, their source can.
    """

    def __init__(
        self,
        labeled: Sequence[LabeledRow],
        labeled_path: Path,
        retraining: RetrainingManifest,
        retraining_path: Path,
        *,
        root: Path | None = None,
    ) -> None:
        """Note the sources of every row.

        Raises:
            PathEscapeError: a local url leaves the workspace.
        """
        finder = SourceFinder(labeled_path, root=root)
        uses = [
            _Use(
                f"{labeled_path.name}: {row.name}",
                row.url.strip(),
                row.notes,
                row.name.startswith(RETRAIN_PREFIX),
                finder,
            )
            for row in labeled
        ]
        finder = SourceFinder(retraining_path, root=root)
        uses += [
            _Use(f"{retraining_path.name}: {sample.id}", sample.image, sample.notes, True, finder)
            for sample in retraining.samples
        ]
        self.missing = 0
        self._folders: set[tuple[str, str]] = set()
        self._training_sources: set[str] = set()
        self._by_size: dict[int, list[tuple[Path, _Use]]] = {}
        self._digests: dict[Path, str] = {}
        for use in uses:
            self._note_sources(use)
            self._note_file(use)

    def has_folder_source(self, folder: str, image: str) -> bool:
        """Tell whether a row names this picture of a class folder.

        A row may name the class folder alone (``folder=aluminum_soda_cans``) where the picture lies in one
        of its sub-folders: which one cannot be told, so all of them count.
        """
        steps = folder.casefold().split("/")
        spans = [steps[start:end] for start in range(len(steps)) for end in range(start + 1, len(steps) + 1)]
        return any(("/".join(span), image.casefold()) in self._folders for span in spans)

    def has_url(self, url: str) -> bool:
        """Tell whether training has a picture of this source."""
        return source_key(url) in self._training_sources

    def same_bytes(self, picture: Path, *, training_only: bool) -> tuple[str, str | None]:
        """Return a picture's SHA-256, and the row that has the same bytes or None."""
        digest = sha256_file(picture)
        for path, use in self._by_size.get(picture.stat().st_size, []):
            if training_only and not use.training:
                continue
            if path not in self._digests:
                self._digests[path] = sha256_file(path)
            if self._digests[path] == digest:
                return digest, use.where
        return digest, None

    def _note_sources(self, use: _Use) -> None:
        folder, image = note_value(use.notes, "folder"), note_value(use.notes, "source_image")
        if folder and image:
            self._folders.add((folder.strip("/").casefold(), image.casefold()))
        if not use.training:
            return
        title = normalized_file_name(note_value(use.notes, "title") or "")
        sources = [use.url, note_value(use.notes, "source_url") or "", file_url(title) if title else ""]
        self._training_sources.update(source_key(source) for source in sources if source)

    def _note_file(self, use: _Use) -> None:
        if not use.url or is_remote(use.url):
            return
        path = use.finder.find(use.url, row=use.where)
        if path is None:
            self.missing += 1
        else:
            self._by_size.setdefault(path.stat().st_size, []).append((path, use))
