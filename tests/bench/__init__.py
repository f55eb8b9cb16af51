"""Measures gatepost beside other servers. `run` is the program; goals.py and report.py take no measurements of their own."""
