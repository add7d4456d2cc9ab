"""Which row of a bundle a picture is that a tool gave back."""

from __future__ import annotations

from pipeline.training.bundle_rows import AnnotatedRow, BundleView
from pipeline.training.exchange.archive import base_name
from pipeline.training.exchange.label_studio import without_upload_prefix
from pipeline.training.exchange.model import ReadPicture


class RowFinder:
    """Finds the row of a picture that a tool names: by id, by file name, or by that without its ending."""

    def __init__(self, bundle: BundleView) -> None:
        with_picture = [row for row in bundle.rows if row.row.image_file]
        self.ids = {row.id: row for row in bundle.rows}
        self.names = {row.row.image.name: row for row in with_picture}
        self.stems: dict[str, AnnotatedRow | None] = {}
        for row in with_picture:
            stem = row.row.image.stem
            self.stems[stem] = None if stem in self.stems else row

    def find(self, picture: ReadPicture) -> AnnotatedRow | None:
        """Return the row of a picture; None where the bundle has none, or two that could be meant."""
        if picture.row_id is not None and picture.row_id in self.ids:
            return self.ids[picture.row_id]
        name = base_name(picture.name)
        for each in (name, without_upload_prefix(name)):
            stem = each.rpartition(".")[0] or each
            found = self.names.get(each) or self.stems.get(each) or self.stems.get(stem)
            if found is not None:
                return found
        return None
