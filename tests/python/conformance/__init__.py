"""What the reference answers, row by row: tables of operations, and what a broker said to each.

A table is a module here with `rows()`; what the reference answered is in `answers/TABLE.txt`, a line a row. Where
Warren answers otherwise, its answer is in `answers/TABLE.differs.txt`, below the reason. `python -m conformance`
says how any broker answers, and records.
"""
