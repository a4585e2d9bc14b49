"""wizard-harness: evaluate checkpoints, compare with published numbers, decide releases."""

__version__ = "0.1.0"
