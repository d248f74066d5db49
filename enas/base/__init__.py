"""What every room uses: errors, files, tables, memory, random numbers."""
