"""Bundles in the formats of annotation tools, and back: CVAT, Label Studio, COCO and YOLO.

Written here and not taken from a library, for these reasons (looked at in November 2026). Datumaro reads and
writes CVAT, COCO and YOLO, but wants pandas 2, Pillow 12 and OpenCV 4 where this project has the next major
version of each, brings pyarrow, lxml and shapely, knows no Label Studio, and passes over what it does not
understand where an import must say so. label-studio-converter is no longer kept up, and label-studio-sdk
brings nltk, a code generator and OpenCV below 4.13 for what is here a page. supervision has neither CVAT nor
Label Studio, and numbers classes by their order. XML is read by defusedxml, YAML by PyYAML's safe loader.

A picture is known by its file name, a class by its name, and a box by its corners in pixels of the upright
picture. Tools round to two decimals of a pixel or more: a box whose edges all lie within `SAME` pixels of
where they were is the same box, and its line in the label file stays as it is, byte for byte.
"""

SAME = 0.05
"""Pixels by which an edge may differ and still be where it was: several times what two decimals do."""
