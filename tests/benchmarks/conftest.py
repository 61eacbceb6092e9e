"""The benchmarks are scripts beside the package, not installed with it: this makes them importable."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
