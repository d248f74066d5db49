"""Draws pictures of cells and networks."""
