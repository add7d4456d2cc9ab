"""Write an in-toto statement about files in a Sigstore bundle without a signature; other bytes each time."""

import base64
import hashlib
import json
import os
import time
from pathlib import Path

files = sorted(Path(os.environ["GITHUB_WORKSPACE"]).glob(os.environ["SUBJECTS"]))
subjects = [
    {"name": path.name, "digest": {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}} for path in files
]
statement = {"_type": "https://in-toto.io/Statement/v1", "subject": subjects, "made": time.time_ns()}
payload = base64.b64encode(json.dumps(statement).encode()).decode()
bundle = Path(os.environ["RUNNER_TEMP"]) / "attestation.json"
bundle.parent.mkdir(parents=True, exist_ok=True)
bundle.write_text(json.dumps({"dsseEnvelope": {"payload": payload}}))
with Path(os.environ["GITHUB_OUTPUT"]).open("a") as out:
    out.write(f"bundle-path={bundle}\n")
