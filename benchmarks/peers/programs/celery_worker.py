"""Celery with Redis as broker and for results: `celery -A celery_worker worker`; as a program, it sends tasks."""

import os
import sys

from celery import Celery

app = Celery("noop", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
app.conf.broker_connection_retry_on_startup = True


@app.task(name="noop")
def noop() -> None:
    pass


if __name__ == "__main__":
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(int(sys.argv[1])):
            noop.apply_async(producer=producer)
