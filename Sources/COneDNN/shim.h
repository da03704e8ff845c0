// oneDNN (Debian libdnnl-dev, C API): single-precision products on any x86-64, bf16 products where the CPU has AVX-512.
// Shims: none; the header is plain C.
#include <dnnl.h>
