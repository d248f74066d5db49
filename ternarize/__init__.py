"""Weights and activations in {-1, 0, +1}."""
