// jemalloc's settings, which it reads from this symbol when the program starts. Freed pages are
// kept (no decay) and huge pages used: eager training allocates and frees the same large tensors at
// every step, and giving pages back to the kernel costs more than the computation of small ones.
// Without jemalloc nobody reads this.
extern "C" {
extern const char* malloc_conf;
const char* malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";
}
