"""Errors, dtypes and checks: what every room above stands on."""
