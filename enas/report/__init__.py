"""Reports on a run: its log and its summary, and what is read back from a log."""
