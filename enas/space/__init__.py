"""The search space: arc strings, operations, number formats and the plan of layers."""
