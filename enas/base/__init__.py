"""What all packages use: errors, files, tables, memory, random numbers.

Nothing here may import another package of this project.
"""
