"""What the management API answers, row by row: who may do what, and requests nobody expects.

A table is a module here with `rows()`; what the reference answered is in `answers/TABLE.txt`. Where Warren answers
otherwise, its answer is in `answers/TABLE.differs.txt`, below the reason. `python -m management` says how any broker
answers beside what is recorded or beside another broker, and records.
"""
