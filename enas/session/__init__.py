"""A run at work: its session, its input, its folder and its checkpoints."""
