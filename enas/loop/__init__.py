"""Turns flags into a run: the search, the training of one string, the ranking."""
