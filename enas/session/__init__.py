"""A run in progress: its session, its input, its folder and its checkpoints."""
