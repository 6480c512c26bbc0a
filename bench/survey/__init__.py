"""Every system of the catalog on one data set, under one budget, with one set of scores.

    python -m bench.survey                # checks all rows, writes docs/survey.md and its page
    python -m bench.survey row attngan    # makes one row
    python -m bench.survey renew          # makes those again whose code changed since

`making.py` makes rows, `rows.py` reads and checks them, `documents.py` writes of them.
"""
