"""Load fitbook's models with the real MLflow, and MLflow's with fitbook: ``models_with_mlflow.py PYTHON``.

PYTHON has MLflow, and what fitbook needs, but not fitbook: ``make interop`` makes it. Both libraries run there, so that they
have the same scikit-learn; MLflow without a way to import fitbook.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
QUIET = {
    **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "PYTHONWARNINGS": "ignore",
    "PYTHONDONTWRITEBYTECODE": "1",
}
SERVED = ("sklearn-table", "sklearn-pickle", "python")


def main(python: str) -> int:
    """Compare both ways; returns how many steps failed."""
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for writer, reader in (("fitbook", "mlflow"), ("mlflow", "fitbook")):
            folder = place / writer
            print(f"models of {writer}, loaded by {reader}:", flush=True)
            if _run(python, "write_models.py", writer, folder, place) != 0:
                failures += 1
                continue
            failures += _run(python, "read_models.py", reader, folder, place) != 0
        for model in SERVED:
            problem = served(python, place / "fitbook", model, place)
            print(f"  {model}, by MLflow's scoring server: {problem or 'equal'}", flush=True)
            failures += bool(problem)
    return failures


def _run(python: str, script: str, library: str, folder: Path, place: Path) -> int:
    path = {"PYTHONPATH": str(HERE.parents[1])} if library == "fitbook" else {}
    command = [python, HERE / script, library, folder]
    done = subprocess.run(command, cwd=place, env={**QUIET, **path}, capture_output=True, text=True, check=False)
    print(done.stdout, end="")
    if done.returncode and not done.stdout:
        print(done.stderr[-3000:])
    return done.returncode


def served(python: str, folder: Path, model: str, place: Path) -> str:
    """Ask MLflow's scoring server for the serving example; returns what is wrong."""
    wanted = json.loads((folder / f"{model}.json").read_text())["predictions"][:2]
    content = (folder / model / "serving_input_example.json").read_bytes()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    where = ["--host", "127.0.0.1", "--port", str(port), "--env-manager", "local", "--model-uri", str(folder / model)]
    env = {**QUIET, "PATH": f"{Path(python).parent}{os.pathsep}{QUIET.get('PATH', '')}"}
    log = place / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [python, "-m", "mlflow", "models", "serve", *where],
            cwd=place,
            env=env,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        answer = _asked(f"http://127.0.0.1:{port}/invocations", content)
    except OSError as error:
        return f"{error!r}: {log.read_text()[-2000:]}"
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    found = answer["predictions"] if isinstance(answer, dict) else answer
    close = all(abs(a - b) < 1e-9 for a, b in zip(found, wanted, strict=True))
    return "" if close else f"{wanted} wanted, {found} came"


def _asked(url: str, content: bytes) -> Any:
    request = urllib.request.Request(url, content, {"Content-Type": "application/json"})
    for _ in range(240):
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise OSError(error.read().decode(errors="replace")[:2000]) from error
        except OSError:
            time.sleep(0.5)
    raise OSError("MLflow's scoring server does not answer")


if __name__ == "__main__":
    sys.exit(main(os.path.abspath(sys.argv[1])))  # not resolved: a link is what makes it an environment's
