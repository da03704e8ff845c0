// Backward passes, the loss, and the optimizer's step.
#include "include/CKernels.h"
#include "internal.h"
#include "vectors.h"
#include <dnnl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { fs_rows_per_task = 8, fs_query_block = 64, fs_sum_rows = 64 };

FS_INLINE long fs_least(long a, long b) { return a < b ? a : b; }

void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc);

int fs_product(int engine, int threads, int transpose_a, int transpose_b, int m, int n, int k, float alpha, const float *a, int lda,
               const float *b, int ldb, float beta, float *c, int ldc) {
  if (m == 0 || n == 0) return 0;
  fs_set_threads(engine, threads);
  if (engine == 1) {
    cblas_sgemm(101, transpose_a ? 112 : 111, transpose_b ? 112 : 111, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    return 0;
  }
  return dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, alpha, a, lda, b, ldb, beta, c, ldc) != dnnl_success;
}

typedef struct { int b, c; const float *x, *weight, *dy; float epsilon, *dx; } fs_norm_back_job;

FS_CLONES static void fs_norm_back_task(void *context, int task) {
  const fs_norm_back_job *j = context;
  for (long r = (long)task * fs_rows_per_task; r < fs_least(j->b, (task + 1L) * fs_rows_per_task); r++) {
    const float *x = j->x + r * j->c, *dy = j->dy + r * j->c;
    float *restrict dx = j->dx + r * j->c;
    float inverse = 1.0f / sqrtf(fs_dot(x, x, j->c) / (float)j->c + j->epsilon);
    v16f sum = {0};
    int i = 0;
    for (; i + 16 <= j->c; i += 16) sum += *(const v16f *)(dy + i) * *(const v16f *)(j->weight + i) * *(const v16f *)(x + i);
    float along = fs_sum16(&sum);
    for (; i < j->c; i++) along += dy[i] * j->weight[i] * x[i];
    float back = along * inverse * inverse / (float)j->c;
    for (i = 0; i < j->c; i++) dx[i] += inverse * (dy[i] * j->weight[i] - x[i] * back);
  }
}

void fs_rms_norm_backward(int b, int c, const float *x, const float *weight, float epsilon, const float *dy, float *dx, int threads) {
  fs_norm_back_job job = {b, c, x, weight, dy, epsilon, dx};
  fs_parallel((b + fs_rows_per_task - 1) / fs_rows_per_task, threads, fs_norm_back_task, &job);
}

typedef struct { int b, f; const float *x, *dh; float *out; } fs_gated_job;

FS_CLONES static void fs_gated_task(void *context, int task) {
  const fs_gated_job *j = context;
  for (long r = (long)task * fs_rows_per_task; r < fs_least(j->b, (task + 1L) * fs_rows_per_task); r++) {
    const float *restrict gate = j->x + r * 2 * j->f, *restrict up = gate + j->f;
    float *restrict h = j->out + r * j->f;
    for (int i = 0; i < j->f; i++) h[i] = gate[i] / (1.0f + fs_exp(-gate[i])) * up[i];
  }
}

void fs_gated(int b, int f, const float *x, float *h, int threads) {
  fs_gated_job job = {b, f, x, 0, h};
  fs_parallel((b + fs_rows_per_task - 1) / fs_rows_per_task, threads, fs_gated_task, &job);
}

// A function of its own: the compiler vectorises the loop only when it is told that the two halves of a row do not overlap.
FS_INLINE void fs_gated_back_row(int f, const float *restrict gate, const float *restrict up, const float *restrict dh, float *restrict dgate,
                                 float *restrict dup) {
  for (int i = 0; i < f; i++) {
    float s = 1.0f / (1.0f + fs_exp(-gate[i]));
    float silu = gate[i] * s;
    dgate[i] = dh[i] * up[i] * (s + silu * (1.0f - s));
    dup[i] = dh[i] * silu;
  }
}

FS_CLONES static void fs_gated_back_task(void *context, int task) {
  const fs_gated_job *j = context;
  for (long r = (long)task * fs_rows_per_task; r < fs_least(j->b, (task + 1L) * fs_rows_per_task); r++) {
    const float *x = j->x + r * 2 * j->f;
    float *dx = j->out + r * 2 * j->f;
    fs_gated_back_row(j->f, x, x + j->f, j->dh + r * j->f, dx, dx + j->f);
  }
}

void fs_gated_backward(int b, int f, const float *x, const float *dh, float *dx, int threads) {
  fs_gated_job job = {b, f, x, dh, dx};
  fs_parallel((b + fs_rows_per_task - 1) / fs_rows_per_task, threads, fs_gated_back_task, &job);
}

typedef struct {
  int causal, sequences, h, g, d;
  const int *offsets;
  const float *q, *k, *v, *out, *dout;
  float scale, *dq, *dk, *dv;
} fs_attention_back_job;

FS_CLONES static void fs_score_gradients(int rows, int width, int d, int stride, const float *p, float *dp, const float *out, const float *dout,
                                         float scale) {
  for (int r = 0; r < rows; r++) {
    const float *restrict weights = p + (long)r * width;
    float *restrict gradients = dp + (long)r * width;
    float mean = fs_dot(dout + (long)r * stride, out + (long)r * stride, d);
    for (int i = 0; i < width; i++) gradients[i] = scale * weights[i] * (gradients[i] - mean);
  }
}

// One head of one sequence: recomputes the probabilities of a block of queries, then S = P o (dP - rowsum(dO o O)).
static void fs_attention_back_task(void *context, int task) {
  const fs_attention_back_job *j = context;
  int sequence = task / j->h, head = task % j->h, group = head / (j->h / j->g), d = j->d;
  long start = j->offsets[sequence];
  int t = j->offsets[sequence + 1] - j->offsets[sequence], stride = j->h * d, key_stride = j->g * d;
  if (t == 0) return;
  float *p = malloc(sizeof(float) * 2 * fs_query_block * (size_t)t);
  if (!p) abort();
  const float *k = j->k + start * key_stride + group * d, *v = j->v + start * key_stride + group * d;
  float *dk = j->dk + start * stride + head * d, *dv = j->dv + start * stride + head * d;
  for (int first = 0; first < t; first += fs_query_block) {
    int rows = t - first < fs_query_block ? t - first : fs_query_block, width = j->causal ? first + rows : t;
    long at = (start + first) * stride + head * d;
    const float *q = j->q + at, *out = j->out + at, *dout = j->dout + at;
    float *dp = p + (size_t)fs_query_block * (size_t)width;
    dnnl_sgemm('N', 'T', rows, width, d, 1, q, stride, k, key_stride, 0, p, width);
    fs_softmax_rows(p, rows, width, j->causal ? first + 1 : t, j->causal, j->scale);
    dnnl_sgemm('T', 'N', width, d, rows, 1, p, width, dout, stride, 1, dv, stride);
    dnnl_sgemm('N', 'T', rows, width, d, 1, dout, stride, v, key_stride, 0, dp, width);
    fs_score_gradients(rows, width, d, stride, p, dp, out, dout, j->scale);
    dnnl_sgemm('N', 'N', rows, d, width, 1, dp, width, k, key_stride, 0, j->dq + at, stride);
    dnnl_sgemm('T', 'N', width, d, rows, 1, dp, width, q, stride, 1, dk, stride);
  }
  free(p);
}

void fs_attention_backward(int causal, int sequences, const int *offsets, int h, int g, int d, const float *q, const float *k,
                           const float *v, const float *out, const float *dout, float scale, float *dq, float *dk, float *dv, int threads) {
  fs_attention_back_job job = {causal, sequences, h, g, d, offsets, q, k, v, out, dout, scale, dq, dk, dv};
  fs_set_threads(0, threads);
  fs_parallel_strided(sequences * h, threads, fs_attention_back_task, &job);
}

typedef struct { int rows, heads, d; const float *x; float *out; } fs_sum_job;

FS_CLONES static void fs_sum_task(void *context, int task) {
  const fs_sum_job *j = context;
  for (long r = (long)task * fs_sum_rows; r < fs_least(j->rows, (task + 1L) * fs_sum_rows); r++) {
    const float *x = j->x + r * j->heads * j->d;
    float *restrict out = j->out + r * j->d;
    memcpy(out, x, sizeof(float) * (size_t)j->d);
    for (int h = 1; h < j->heads; h++)
      for (int i = 0; i < j->d; i++) out[i] += x[(long)h * j->d + i];
  }
}

void fs_sum_heads(int rows, int heads, int d, const float *x, float *out, int threads) {
  fs_sum_job job = {rows, heads, d, x, out};
  fs_parallel((rows + fs_sum_rows - 1) / fs_sum_rows, threads, fs_sum_task, &job);
}

typedef struct { int v; float *logits; const int *labels; float scale, *losses; } fs_loss_job;

FS_CLONES static void fs_loss_row(void *context, int r) {
  const fs_loss_job *j = context;
  float *restrict x = j->logits + (long)r * j->v;
  float largest = -INFINITY;
  for (int i = 0; i < j->v; i++) largest = x[i] > largest ? x[i] : largest;
  float truth = x[j->labels[r]];
  double total = 0;
  for (int i = 0; i < j->v; i += 1024) {  // float sums of 1024 values, a double over them
    int end = i + 1024 < j->v ? i + 1024 : j->v, l = i;
    v16f sum = {0};
    for (; l + 16 <= end; l += 16) {
      for (int m = 0; m < 16; m++) x[l + m] = fs_exp(x[l + m] - largest);
      sum += *(const v16f *)(x + l);
    }
    float part = fs_sum16(&sum);
    for (; l < end; l++) part += x[l] = fs_exp(x[l] - largest);
    total += part;
  }
  float factor = (float)(j->scale / total);
  for (int i = 0; i < j->v; i++) x[i] *= factor;
  x[j->labels[r]] -= j->scale;
  j->losses[r] = (float)(log(total) + (double)largest - (double)truth);
}

void fs_cross_entropy(int b, int v, float *logits, const int *labels, float scale, float *losses, int threads) {
  fs_loss_job job = {v, logits, labels, scale, losses};
  fs_parallel(b, threads, fs_loss_row, &job);
}

FS_CLONES void fs_adamw(long n, float *restrict p, const float *restrict g, float *restrict m, float *restrict v, float rate, float beta1,
                        float beta2, float epsilon, float decay, float correction1, float correction2, float gradient_scale) {
  for (long i = 0; i < n; i++) {
    float x = g[i] * gradient_scale;
    m[i] = beta1 * m[i] + (1 - beta1) * x;
    v[i] = beta2 * v[i] + (1 - beta2) * x * x;
    p[i] -= rate * (decay * p[i] + m[i] / correction1 / (sqrtf(v[i] / correction2) + epsilon));
  }
}

typedef struct { int c; const float *x; const uint64_t *rows; uint64_t key; uint32_t threshold; float factor, *y; } fs_dropout_job;

// A 32-bit hash with full avalanche (lowbias32 of Wellons' hash prospector).
FS_INLINE uint32_t fs_mix(uint32_t h) {
  h ^= h >> 16;
  h *= 0x7feb352dU;
  h ^= h >> 15;
  h *= 0x846ca68bU;
  return h ^ (h >> 16);
}

FS_CLONES static void fs_dropout_row(void *context, int r) {
  const fs_dropout_job *j = context;
  const float *restrict x = j->x + (long)r * j->c;
  float *restrict y = j->y + (long)r * j->c;
  uint64_t row = j->rows[r];
  uint32_t low = fs_mix((uint32_t)row ^ (uint32_t)j->key), high = fs_mix((uint32_t)(row >> 32) ^ (uint32_t)(j->key >> 32) ^ low);
  for (int i = 0; i < j->c; i++) {
    uint32_t h = fs_mix(fs_mix((uint32_t)i + low) ^ high);
    y[i] = h < j->threshold ? 0.0f : x[i] * j->factor;
  }
}

void fs_dropout(int b, int c, const float *x, const uint64_t *rows, uint64_t key, uint32_t threshold, float factor, float *y, int threads) {
  fs_dropout_job job = {c, x, rows, key, threshold, factor, y};
  fs_parallel(b, threads, fs_dropout_row, &job);
}

typedef struct { int b, c; const float *x, *dy; float epsilon, *dw; } fs_norm_weight_job;

FS_CLONES static void fs_norm_weight_task(void *context, int task) {
  const fs_norm_weight_job *j = context;
  int first = task * 64, last = first + 64 < j->c ? first + 64 : j->c;
  for (int r = 0; r < j->b; r++) {
    const float *x = j->x + (long)r * j->c, *dy = j->dy + (long)r * j->c;
    float inverse = 1.0f / sqrtf(fs_dot(x, x, j->c) / (float)j->c + j->epsilon);
    for (int i = first; i < last; i++) j->dw[i] += dy[i] * x[i] * inverse;
  }
}

void fs_rms_norm_weight_backward(int b, int c, const float *x, float epsilon, const float *dy, float *dw, int threads) {
  fs_norm_weight_job job = {b, c, x, dy, epsilon, dw};
  fs_parallel((c + 63) / 64, threads, fs_norm_weight_task, &job);
}
