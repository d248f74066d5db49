"""Trains and ranks many strings at once, on one machine or on several.

Nothing here computes: it starts the programs that do, and looks after them. None of it
but the ranker may import TensorFlow.
"""
