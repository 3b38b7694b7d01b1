"""Tests of tensors: values, tape, text."""
