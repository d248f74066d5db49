"""Weights and activations in {-1, +1}."""
