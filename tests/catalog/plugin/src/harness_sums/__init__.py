"""Adding two numbers: an example of a plug-in for wizard-harness."""

from pathlib import Path

CATALOG = Path(__file__).parent / "catalog"
