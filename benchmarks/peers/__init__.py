"""Other products that hand out jobs, beside which the cycle of our robots is measured.

Each is installed into a folder of the benchmark, runs on this machine, and stores what it needs in the same
PostgreSQL server (Celery: in Redis). Its task does nothing.
"""
