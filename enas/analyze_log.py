"""Shows the best strings of a log, and draws its curves.

`python -m enas.analyze_log --help` says how; the code is in enas/report/analysis.py.
"""

from enas.report.analysis import main

if __name__ == "__main__":
    main()
