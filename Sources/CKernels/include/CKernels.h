// The vector loops where C beats Swift: run-time dispatch over x86-64-v4 / v3 / baseline in one portable binary (target_clones), and one
// thread pool (libgomp's, which oneDNN uses too: two pools spinning on the same cores halve each other).
// Every function has a naive Swift twin in Tests/KernelsTests that it is compared with. Shapes are row-major; B rows (tokens), C channels,
// H heads, D head dimension, T positions, N outputs, K inputs. No function allocates more than a thread's small scratch; none keeps state.
#pragma once
#include <stdint.h>
#include <stddef.h>

// ---- parallel.c
// Calls body(context, i) for i in 0..<count on `threads` threads (contiguous shares); returns when all are done.
void fs_parallel(int count, int threads, void (*_Nonnull body)(void *_Nullable context, int index), void *_Nullable context);
int fs_processors(void);
// Keeps freed blocks in the process instead of returning them to the system: activations of the same sizes come and go in every block.
void fs_keep_freed_memory(void);

// ---- gemm.c: Y[M,N] = X[M,K] W[N,K]^T (+ Y if accumulate). engine 0 = oneDNN, 1 = OpenBLAS. Returns 0 on success.
int fs_gemm(int engine, int threads, int m, int n, int k, const float *_Nonnull x, const float *_Nonnull w, float *_Nonnull y, int accumulate);
// bf16 x bf16 -> f32 through oneDNN; returns nonzero (and computes nothing) where the CPU cannot.
int fs_gemm_bf16(int threads, int m, int n, int k, const uint16_t *_Nonnull x, const uint16_t *_Nonnull w, float *_Nonnull y);
int fs_has_bf16_gemm(void);

// ---- packed.c: weights [rows,columns] laid out once for many products; bf16 weights take bf16 inputs; results are f32.
typedef struct fs_packed fs_packed;
// transposed: y = x W^T, x [M,columns]; else y = x W, x [M,rows]. Null where oneDNN has no layout of its own for this CPU: use fs_gemm.
fs_packed *_Nullable fs_pack(int is_bf16, int transposed, int rows, int columns, const void *_Nonnull weights, int threads);
void fs_unpack(fs_packed *_Nonnull packed);
// Returns 0 on success.
int fs_packed_product(const fs_packed *_Nonnull packed, int rows, const void *_Nonnull x, float *_Nonnull y, int threads);

const char *_Nonnull fs_cpu_level(void);

// ---- rows.c
// y[b] = x[b] / sqrt(mean(x[b]^2) + epsilon) * weight.   x, y [B,C]; weight [C].
void fs_rms_norm(int b, int c, const float *_Nonnull x, const float *_Nonnull weight, float epsilon, float *_Nonnull y, int threads);
// gate[i] = silu(gate[i]) * up[i], n values.
void fs_swiglu(long n, float *_Nonnull gate, const float *_Nonnull up, int threads);
// Rotates halves in place: x [B,H,D]; row b by the angles in row angle[b] of cosines/sines [any,D/2].
void fs_rope(int b, int h, int d, float *_Nonnull x, const float *_Nonnull cosines, const float *_Nonnull sines, const int *_Nonnull angle,
             int threads);
void fs_add(long n, float *_Nonnull x, const float *_Nonnull y, int threads);
void fs_add_bias(int b, int c, float *_Nonnull x, const float *_Nonnull bias, int threads);
// distances[i] = sum_c (x[i,c] - y[target[i],c])^2.
void fs_squared_distances(int b, int c, const float *_Nonnull x, const float *_Nonnull y, const int *_Nonnull target,
                          float *_Nonnull distances, int threads);
// Row-wise clip: x[i] *= min(1, bound / |x[i]|).
void fs_clip_rows(int b, int c, float *_Nonnull x, float bound, int threads);
// Row-wise log-sum-exp of x [B,C] in double accumulation -> out [B].
void fs_log_sum_exp(int b, int c, const float *_Nonnull x, float *_Nonnull out, int threads);

// ---- attention.c: grouped-query attention; `causal` 1: a position sees itself and what is before it, 0: the whole sequence.
// One sequence: queries q [T,H,D] at positions past..past+T-1; keys, values [past+T, G, D]; out [T,H,D]; H % G == 0.
// maps: null, or [H,T,past+T] filled with the attention probabilities (zeros where a causal query does not look).
void fs_attention(int engine, int causal, int t, int past, int h, int g, int d, const float *_Nonnull q, const float *_Nonnull keys,
                  const float *_Nonnull values, float scale, float *_Nonnull out, float *_Nullable maps, int threads);
// Rows that each extend a stored prefix by one token: row r has query q[r], its own key/value ownKeys[r], ownValues[r] [G,D], and the prefix
// prefixKeys[r], prefixValues[r] (pointers to [length[r], G, D]). out [B,H,D].
void fs_attention_rows(int b, int h, int g, int d, const float *_Nonnull q, const float *_Nonnull ownKeys, const float *_Nonnull ownValues,
                       const float *_Nonnull const *_Nonnull prefixKeys, const float *_Nonnull const *_Nonnull prefixValues,
                       const int *_Nonnull lengths, float scale, float *_Nonnull out, int threads);

// ---- quantized.c: weights as stored (GGUF block layouts), activations f32.
// y[m,n] = x[m,k] w[n,k]^T. Activations are quantised to int8 in blocks of 32 (the scheme of llama.cpp's Q8_1); k % 32 == 0.
void fs_matvec_q4_1(int m, int n, int k, const float *_Nonnull x, const uint8_t *_Nonnull w, float *_Nonnull y, int threads);
void fs_matvec_q8_0(int m, int n, int k, const float *_Nonnull x, const uint8_t *_Nonnull w, float *_Nonnull y, int threads);
void fs_matvec_bf16(int m, int n, int k, const float *_Nonnull x, const uint16_t *_Nonnull w, float *_Nonnull y, int threads);
void fs_matvec_f32(int m, int n, int k, const float *_Nonnull x, const float *_Nonnull w, float *_Nonnull y, int threads);
// Exact widening of whole rows: `blocks` blocks of 32.
void fs_widen_q4_1(long blocks, const uint8_t *_Nonnull w, float *_Nonnull out);
void fs_widen_q8_0(long blocks, const uint8_t *_Nonnull w, float *_Nonnull out);
void fs_widen_bf16(long n, const uint16_t *_Nonnull w, float *_Nonnull out);
// Round to nearest even; NaN stays NaN.
void fs_narrow_bf16(long n, const float *_Nonnull x, uint16_t *_Nonnull out);

// ---- training.c: backward passes; each adds to what its comment says it adds to and writes the rest.
// C[m,n] = alpha op(A) op(B) + beta C with explicit row strides. Returns 0 on success.
int fs_product(int engine, int threads, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *_Nonnull a, int lda,
               const float *_Nonnull b, int ldb, float beta, float *_Nonnull c, int ldc);
// dx += d(rms_norm)/dx^T dy.   x, dy, dx [B,C].
void fs_rms_norm_backward(int b, int c, const float *_Nonnull x, const float *_Nonnull weight, float epsilon, const float *_Nonnull dy,
                          float *_Nonnull dx, int threads);
// h = silu(gate) * up of rows that hold gate and up side by side, x [B,2F]; h [B,F].
void fs_gated(int b, int f, const float *_Nonnull x, float *_Nonnull h, int threads);
// Gradients of fs_gated, side by side: dx [B,2F] for dh [B,F].
void fs_gated_backward(int b, int f, const float *_Nonnull x, const float *_Nonnull dh, float *_Nonnull dx, int threads);
// Attention of packed sequences, causal or not, rows offsets[s]..<offsets[s+1]: q, out, dout, dq [N,H,D]; k, v [N,G,D]. Adds to dk, dv [N,H,D], one
// share per query head: the caller sums the heads of a group.
void fs_attention_backward(int causal, int sequences, const int *_Nonnull offsets, int h, int g, int d, const float *_Nonnull q,
                           const float *_Nonnull k, const float *_Nonnull v, const float *_Nonnull out, const float *_Nonnull dout, float scale, float *_Nonnull dq,
                           float *_Nonnull dk, float *_Nonnull dv, int threads);
// out[r,i] = sum over heads of x[r,h,i], in their order.   x [rows,heads,D], out [rows,D].
void fs_sum_heads(int rows, int heads, int d, const float *_Nonnull x, float *_Nonnull out, int threads);
// logits [B,V] become scale * (softmax - onehot(label)); losses[b] = -ln softmax[label].
void fs_cross_entropy(int b, int v, float *_Nonnull logits, const int *_Nonnull labels, float scale, float *_Nonnull losses, int threads);
// One AdamW step (Loshchilov & Hutter 2019) over n values; gradients are multiplied by gradient_scale first.
void fs_adamw(long n, float *_Nonnull p, const float *_Nonnull g, float *_Nonnull m, float *_Nonnull v, float rate, float beta1, float beta2,
              float epsilon, float decay, float correction1, float correction2, float gradient_scale);
// y[r,i] = x[r,i] * factor, or 0 where a hash of key, rows[r] and i is below threshold.   x, y [B,C].
void fs_dropout(int b, int c, const float *_Nonnull x, const uint64_t *_Nonnull rows, uint64_t key, uint32_t threshold, float factor,
                float *_Nonnull y, int threads);
// dw += gradient of rms_norm with respect to its weight [C].   x, dy [B,C].
void fs_rms_norm_weight_backward(int b, int c, const float *_Nonnull x, float epsilon, const float *_Nonnull dy, float *_Nonnull dw,
                                 int threads);

// ---- mixture.c: relaxed tokens.
// p[r] = softmax(scale * z[r]) over k candidates, y[r] = sum_i p[r,i] table[ids[r,i]].   z, p, ids [B,K]; table [any,C]; y [B,C].
void fs_mixture(int b, int k, int c, const float *_Nonnull z, const int *_Nonnull ids, float scale, const float *_Nonnull table,
                float *_Nonnull p, float *_Nonnull y, int threads);
// Gradient of `y` and of sum p cost (null: none) with respect to z: dz[r,i] = scale p[r,i] (g[i] - sum p g), g[i] = dy[r] . table[ids[r,i]] + cost.
void fs_mixture_backward(int b, int k, int c, const float *_Nonnull p, const int *_Nonnull ids, float scale, const float *_Nonnull table,
                         const float *_Nonnull dy, const float *_Nullable cost, float *_Nonnull dz, int threads);
