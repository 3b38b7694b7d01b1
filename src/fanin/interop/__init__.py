"""Other people's formats and programs, one file for each, imported only when used."""
