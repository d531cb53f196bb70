"""The robot process behind `bvo runner`: it claims jobs, runs their scripts, reports results."""
