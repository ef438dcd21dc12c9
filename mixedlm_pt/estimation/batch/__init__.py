"""Many responses of one model fitted together."""

from mixedlm_pt.estimation.batch.fit import chunk_size, fit_responses, is_batchable

__all__ = ["chunk_size", "fit_responses", "is_batchable"]
