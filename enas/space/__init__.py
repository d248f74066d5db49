"""What is searched: arc strings, operations, number formats and the plan of layers."""
