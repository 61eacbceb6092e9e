"""Fill a store with runs, for trying out what many of them cost: ``python benchmarks/fill.py --runs N --uri URI``.

Every run has parameters p0 … p19 (single digits), metrics m0 … m9 (uniform between 0 and 1, one point each) and tags
t0 … t4 (single letters), and goes through the same bulk path as the children of a search.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# Not the folder of this file, whose modules have everyday names.
if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fitbook.entities import Metric, RunDraft, RunStatus
from fitbook.store import Store, open_store

PARAMS = [f"p{number}" for number in range(20)]
METRICS = [f"m{number}" for number in range(10)]
TAGS = [f"t{number}" for number in range(5)]


def drafts(runs: int, experiment_id: str, seed: int = 0) -> Iterator[RunDraft]:
    """Make up finished runs, one second apart and the last one now; the same seed makes up the same contents."""
    draw = random.Random(seed)
    now = time.time_ns() // 1_000_000
    for number in range(runs):
        start = now - 1000 * (runs - number)
        yield RunDraft(
            experiment_id=experiment_id,
            # Ids are unique in a store, so they can't follow the seed: a store may be filled twice.
            run_id=f"{random.SystemRandom().getrandbits(128):032x}",
            run_name=f"filled-{number}",
            user_id="fill",
            start_time=start,
            end_time=start + draw.randrange(1000),
            status=RunStatus.FINISHED,
            params=dict(zip(PARAMS, draw.choices("0123456789", k=len(PARAMS)), strict=True)),
            metrics=[Metric(key, draw.random(), start) for key in METRICS],
            tags=dict(zip(TAGS, draw.choices("abcdefgh", k=len(TAGS)), strict=True)),
        )


def fill(store: Store, runs: int, *, experiment: str = "filled", batch: int = 1000, seed: int = 0) -> float:
    """Write runs into an experiment, which is made if need be.

    Parameters
    ----------
    store : Store
        Any.
    runs : int
        How many.
    experiment : str
        Its name.
    batch : int
        Runs per transaction.
    seed : int
        Of the made-up contents.

    Returns
    -------
    float
        Seconds that the store took, without making the runs up.
    """
    known = store.get_experiment_by_name(experiment)
    made_up = drafts(runs, known.experiment_id if known else store.create_experiment(experiment), seed)
    seconds = 0.0
    for written in range(0, runs, batch):
        some = [next(made_up) for _ in range(min(batch, runs - written))]
        start = time.perf_counter()
        store.create_runs(some)
        seconds += time.perf_counter() - start
    return seconds


def main() -> None:
    """Read the command line, fill, and say how fast it went."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, required=True, help="how many")
    parser.add_argument("--uri", required=True, help="tracking URI: a folder or a database URL")
    parser.add_argument("--experiment", default="filled", help="its name (default: %(default)s)")
    parser.add_argument("--batch", type=int, default=1000, help="runs per transaction (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the contents (default: %(default)s)")
    options = parser.parse_args()
    if options.runs < 1 or options.batch < 1:
        parser.error("--runs and --batch must be at least 1")
    store = open_store(options.uri)
    seconds = fill(store, options.runs, experiment=options.experiment, batch=options.batch, seed=options.seed)
    store.close()
    print(f"{options.runs:,} runs in {seconds:.2f} s: {options.runs / seconds:,.0f} runs/s")


if __name__ == "__main__":
    main()
