"""What the bot costs beside its peers: `python -m tests.benchmarks [figure …]`.

Each figure is a ratio of two programs measured in turn in one run, so that a busy machine weighs on both; the median of
five rounds counts. One JSON line a figure goes to standard output, a table to standard error. A figure that misses its
limit is reported, not punished: the exit code speaks only of whether measuring was possible.
"""
