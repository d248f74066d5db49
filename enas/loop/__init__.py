"""From flags to a run: the search, the training of one string, the ranking."""
