"""Measure what fitbook costs, and MLflow beside it where it is installed: ``python benchmarks/run.py --help``.

Every tool is measured in a process of its own by this same file, against plain scikit-learn in that same process, and
below a temporary directory. The results go to ``results.json``, ``RESULTS.md`` and two figures beside this file.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import importlib.metadata
import importlib.util
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

# Beside this file lie modules with everyday names: only the folder above may be searched for imports.
sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import api, fits, models, process, searches, store_scale, store_writes  # noqa: E402
from benchmarks.measure import Effort  # noqa: E402
from benchmarks.tools import NAMES, Tool, environment  # noqa: E402

GROUPS = {
    "fits": fits.CASES,
    "searches": searches.CASES,
    "process": process.CASES,
    "store": store_writes.CASES,
    "scale": store_scale.CASES,
    "million": store_scale.MILLION,
    "api": api.CASES,
    "models": models.CASES,
}
# Not without being asked for: it takes ten minutes.
ASKED_FOR = "million"
PACKAGES = ("scikit-learn", "numpy", "pandas", "joblib", "matplotlib", "SQLAlchemy")


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    cases = "; ".join(f"{group}: {', '.join(members)}" for group, members in GROUPS.items())
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--million", action="store_true", help="also a store of 1,000,000 runs, which takes 10 minutes")
    parser.add_argument("--quick", action="store_true", help="few rounds, no peer unless --peer is given, no files")
    parser.add_argument("--peer", metavar="PYTHON", help="an interpreter with MLflow (default: this one, if it has it)")
    parser.add_argument("--only", nargs="+", metavar="NAME", default=[], help=f"groups or cases ({cases})")
    parser.add_argument(
        "--write",
        action="store_true",
        help="write the files also for a quick run, or into them what a partial one measures",
    )
    parser.add_argument("--tool", choices=NAMES, help=argparse.SUPPRESS)  # how the processes of one run are started
    options = parser.parse_args(arguments)
    unknown = set(options.only) - set(GROUPS) - {case for members in GROUPS.values() for case in members}
    if unknown:
        parser.error(f"no such group or case: {', '.join(sorted(unknown))}; there are {cases}")
    return options


def measure(tool: Tool, effort: Effort, only: list[str]) -> dict[str, Any]:
    """Run the cases in this process; a case that fails is reported and the others go on."""
    measures: list[dict[str, Any]] = []
    failures: dict[str, str] = {}
    for group, cases in GROUPS.items():
        for name, case in cases.items():
            if not {group, name} & set(only) if only else group == ASKED_FOR:
                continue
            start = time.perf_counter()
            try:
                rows = case(tool, effort)
            except Exception as error:  # whatever it is, the other cases are still worth having
                failures[name] = f"{type(error).__name__}: {error}"
                outcome = f"FAILED: {failures[name]}"
            else:
                measures += [dataclasses.asdict(row) for row in rows]
                outcome = "; ".join(f"{row.added.median * 1e3:.4g} ms" for row in rows)
            print(f"{tool.name:8} {name:14} {time.perf_counter() - start:6.1f} s   {outcome}", file=sys.stderr)
    versions = {name: importlib.metadata.version(name) for name in PACKAGES if importlib.util.find_spec(_module(name))}
    return {
        "version": tool.module.__version__,
        "python": platform.python_version(),
        "packages": versions,
        "measures": measures,
        "failures": failures,
    }


def _module(package: str) -> str:
    return {"scikit-learn": "sklearn"}.get(package, package.lower())


def measure_apart(interpreter: str, tool: str, options: argparse.Namespace) -> dict[str, Any]:
    """Run the cases for one tool in a fresh process, below a temporary directory that is gone afterwards."""
    command = [interpreter, __file__, "--tool", tool, *(["--quick"] if options.quick else [])]
    only = options.only or (sorted(GROUPS) if options.million else [])
    if only:
        command += ["--only", *only]
    with tempfile.TemporaryDirectory(prefix="fitbook-bench-", ignore_cleanup_errors=True) as folder:
        done = subprocess.run(command, cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{tool} can't be measured with this interpreter: {interpreter}")
    # Libraries may print; the last line is ours.
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def find_peer(options: argparse.Namespace) -> str | None:
    """The interpreter that has MLflow, if any."""
    if options.peer:
        found = shutil.which(options.peer)
        if found is None:
            raise SystemExit(f"There is no interpreter {options.peer!r}; --peer takes one that has MLflow.")
        return str(Path(found).absolute())
    return sys.executable if importlib.util.find_spec("mlflow") and not options.quick else None


def machine() -> dict[str, Any]:
    """What the figures depend on, besides versions."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2] for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].strip() if names else model
    return {
        "cpus": os.cpu_count(),
        "model": model,
        "system": f"{platform.system()} {platform.machine()}",
        # Libraries' own threads make light fits several times slower as soon as anything else runs.
        "threads": {key: value for key, value in os.environ.items() if key.endswith("_NUM_THREADS")},
        "load": round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None,
    }


def main() -> int:
    """Measure, report, and return 1 if a case has failed."""
    options = parse()
    if options.tool:
        tool = Tool(options.tool)
        print(json.dumps(measure(tool, Effort(options.quick, tool.is_peer), options.only)))
        return 0
    # Drawing needs matplotlib, which the process of a peer may lack.
    from benchmarks import report

    results: dict[str, Any] = {
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": shlex.join(["python", "benchmarks/run.py", *_public(sys.argv[1:])]),
        "machine": machine(),
        "tools": {"fitbook": measure_apart(sys.executable, "fitbook", options)},
    }
    peer = find_peer(options)
    if peer:
        results["tools"]["mlflow"] = measure_apart(peer, "mlflow", options)
    print(report.table(results))
    if options.write or not (options.quick or options.only):
        folder = Path(__file__).resolve().parent
        report.write(
            report.merged(json.loads((folder / "results.json").read_text()), results) if options.only else results,
            folder,
        )
    return int(any(tool["failures"] for tool in results["tools"].values()))


def _public(arguments: list[str]) -> list[str]:
    """The arguments without the place of somebody's interpreter."""
    return [Path(argument).name if os.sep in argument else argument for argument in arguments]


if __name__ == "__main__":
    sys.exit(main())
