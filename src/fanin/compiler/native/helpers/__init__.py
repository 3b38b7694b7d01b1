"""Functions of native code that belong to no graph, as LLVM's text: shuffles, orders, turns, the barrier."""
