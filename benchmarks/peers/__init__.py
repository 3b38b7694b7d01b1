"""The contenders of the benchmarks, the cases they run, and the processes in which they run them."""
