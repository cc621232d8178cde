"""The benchmark specs told again in other frameworks, for scripts/bench_peers.

A peer is a class made with a Problem. `learn()` answers the mean query loss of the tasks and its gradient, by the names
of kshot's weights; `iterate()` learns and takes a step of Adam; `test()` adapts to the tasks and answers their mean query
loss. Each is written as its framework's users write it.
"""
