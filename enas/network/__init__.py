"""A trained network as plain data: its steps, its file, and what they mean."""
