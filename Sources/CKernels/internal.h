// Shared between the C files of this target only.
#pragma once

// As fs_parallel, but thread k takes i = k, k + threads, …: for loops whose cost grows with i.
void fs_parallel_strided(int count, int threads, void (*body)(void *context, int index), void *context);

// Y[m,n] = X[m,k] · B, B = W[n,k]^T if transposed, else W[k,n]; rows of X, W, Y are `ldx`, `ldw`, `ldy` floats apart.
void fs_gemm_strided(int engine, int transposed, int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy);

// The width of the engine's next products on the calling thread.
void fs_set_threads(int engine, int threads);
