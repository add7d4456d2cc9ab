"""A real .tflite file of a few hundred bytes, for the self-test: whatever it is shown, it finds one item.

Made with `tests/tiny_models.py`: an input of ``[1,32,32,3]`` float32, and an output ``[1,2,6]`` that is zero
times the input plus the row of `FOUND`; a test makes it again and compares.
"""

from __future__ import annotations

import base64
import zlib

FOUND = (8.0, 16.0, 24.0, 28.0, 0.875, 0.0)
"""``x1,y1,x2,y2,score,class`` in pixels of the input."""
SIDE = 32

_COMPRESSED = (
    "eNp9Ur1KA0EQ/hIvMZAlhnBCwMbSwkKwsRNBRIKlD5AjBA2EO0lWELGwsLSw9AF8AvEBUlqIpMgD5AmsUtjoObP73XkB8eDLZmbn"
    "m59vtg3g9OhkF2ggRBMGNfEEYkEs4EEwKwMrzgvcCLqCQ9rPaZrquQP3HQC3golgLuju45/vg9wg91SleiC/3mcEJYGUd/WfvtK0"
    "xL5M3m3g4tT3KngTTBl/LzhmrnepFfoidY0NmfeTOau0FRUX1kCbNerUg/z1jK+8vW/Pr5Ab0O/1xBK/6fkbWb+W3KAwI8iv8lTf"
    "qmBLjIWcL4I73Rk1V+6jzFZjTrWH0diC3Ew/zTcpxGnOOLHng/jMxSjmhXudxyY2GvKu5DT3rwPUvJjrYtCzl6N+Pv8moT1MJa/h"
    "/5C8XhKPbRT/2adxqiHfreFdNt91f5RgqS/d09rSW/A7QDnjRFf9MQqaKrYZ61984OIW0mvLc1vG7e533o73d34AQAVRUg=="
)


def model_bytes() -> bytes:
    """Return the file."""
    return zlib.decompress(base64.b64decode(_COMPRESSED))
