"""What a user asks for: the table of flags, recipes and data sets."""
