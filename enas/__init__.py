"""Efficient neural architecture search over low-bit cells."""
