import sys
from pathlib import Path

# The package of this checkout is mutated, wherever it is installed or not: as addon/route.py finds it.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addon"))
