"""Cases by area; every module here is found by the harness, its name is the area."""
