"""Kernels that are loops over elements."""
