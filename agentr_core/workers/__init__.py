"""The run's side of work that is done elsewhere: who gets which job, one writer for what comes back, and what becomes
of a worker that dies. The worker's side is ``runs/worker.py``, how messages travel is an executor's business.
"""
