"""`python -m conformance AMQP HTTP [--record] [TABLE...]`: how a broker answers, beside what is recorded.

With --record its answers are what is recorded from now on: that is for the reference.
"""
import sys
import time

from .answers import ARROW, expected, record
from .tables import TABLES, answers_of, differences


def main(arguments):
    recording = "--record" in arguments
    amqp, http, *tables = [argument for argument in arguments if argument != "--record"]
    for table in tables or TABLES:
        start = time.monotonic()
        answers = answers_of(amqp, http, table)
        print(f"{table}: {len(answers)} rows in {time.monotonic() - start:.1f} s")
        if recording:
            record(table, answers)
            continue
        for row, was, now in differences(expected(table), answers):
            print(f"{row}{ARROW}{now}\n    recorded: {was}")


main(sys.argv[1:])
