"""Tests of what answers for other libraries."""
