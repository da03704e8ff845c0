// Shared between the C files of this target only.
#pragma once

// As fs_parallel, but thread k takes i = k, k + threads, …: for loops whose cost grows with i.
void fs_parallel_strided(int count, int threads, void (*body)(void *context, int index), void *context);

// Y[m,n] = X[m,k] · B, B = W[n,k]^T if transposed, else W[k,n]; rows of X, W, Y are `ldx`, `ldw`, `ldy` floats apart.
void fs_gemm_strided(int engine, int transposed, int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy);

// The width of the engine's next products on the calling thread.
void fs_set_threads(int engine, int threads);

// Longest f32 sum that oneDNN accumulates in one go. The massive channels of the first positions (10⁴ in SmolLM2) lose a unit of rounding at
// every further addition: against float64 the worst state of the real model is off by 4.6e-4 of its block's RMS in whole sums, and by 1.0e-4
// in runs of 256, which cost nothing that `make bench` could see.
enum { fs_longest_sum = 256 };

// Row r of p [rows,width] becomes the softmax of scale times its first first_visible + r * growth values; zeros after them. Growth is 1 under
// a causal mask, 0 without a mask.
void fs_softmax_rows(float *p, int rows, int width, int first_visible, int growth, float scale);
