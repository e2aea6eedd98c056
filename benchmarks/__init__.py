"""Speed and memory, measured side by side with what they are compared to.

Run ``python -m benchmarks``. Seconds depend on the machine and on what else it does. So ratios
count: both sides take turns in one run, and medians are compared.
"""
