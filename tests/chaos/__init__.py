"""Faults injected into real servers, workers, runners and databases, and what must hold all the same."""
