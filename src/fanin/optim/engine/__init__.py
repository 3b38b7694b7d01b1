"""How a rule is run: traced once into a straight line of NumPy calls, or called as it stands on every parameter."""
