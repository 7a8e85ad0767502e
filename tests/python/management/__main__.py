"""`python -m management AMQP HTTP [--record | --settle | --beside AMQP HTTP] [TABLE...]`: how a broker answers.

Beside what is recorded, or beside another broker; with --record its answers are what is recorded from now on (that
is for the reference), with --settle they are what is expected where the reference answers 500.
"""
import concurrent.futures
import sys
import time

from conformance.tables import differences

from .answers import expected, record, settle
from .tables import TABLES, answers_of


def main(arguments):
    recording, settling, beside = "--record" in arguments, "--settle" in arguments, None
    arguments = [one for one in arguments if one not in ("--record", "--settle")]
    if "--beside" in arguments:
        at = arguments.index("--beside")
        beside, arguments[at:at + 3] = arguments[at + 1:at + 3], []
    amqp, http, *tables = arguments
    for table in tables or TABLES:
        start = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            asked = pool.submit(answers_of, amqp, http, table)
            other = pool.submit(answers_of, *beside, table) if beside else None
            answers = asked.result()
            other = other and other.result()
        print(f"{table}: {len(answers)} rows in {time.monotonic() - start:.1f} s", flush=True)
        if recording:
            record(table, answers)
            continue
        if settling:
            settle(table, answers)
        count = 0
        for row, was, now in differences(other if other is not None else expected(table), answers):
            count += 1
            print(f"{row}\n    - {was}\n    + {now}")
        print(f"{table}: {count} differ", flush=True)


main(sys.argv[1:])
