"""What tools/bench_tuning.py is made of: networks, parts, rows, goals and the page."""
