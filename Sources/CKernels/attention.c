// Grouped-query attention over packed sequences, causal or without a mask. Scores of a block of queries stay in cache; nothing of size T x T is kept unless the
// caller asks for the maps.
#include "include/CKernels.h"
#include "internal.h"
#include "vectors.h"
#include <math.h>
#include <stdlib.h>

enum { fs_query_block = 64 };

// In place: p[0..<n] = softmax(scale * p[0..<n]).
FS_INLINE void fs_softmax(float *p, int n, float scale) {
  float largest = -INFINITY;
  for (int i = 0; i < n; i++) largest = p[i] > largest ? p[i] : largest;
  int i = 0;
  v16f sum = {0};
  for (; i + 16 <= n; i += 16) {
    for (int l = 0; l < 16; l++) p[i + l] = fs_exp((p[i + l] - largest) * scale);
    sum += *(const v16f *)(p + i);
  }
  float total = fs_sum16(&sum);
  for (; i < n; i++) total += p[i] = fs_exp((p[i] - largest) * scale);
  float inverse = 1.0f / total;
  for (i = 0; i < n; i++) p[i] *= inverse;
}

typedef struct {
  int engine, causal, t, past, h, g, d;
  const float *q, *keys, *values;
  float scale, *out, *maps;
  int blocks;
} fs_attention_job;

FS_CLONES void fs_softmax_rows(float *p, int rows, int width, int first_visible, int growth, float scale) {
  for (int r = 0; r < rows; r++) {
    int visible = first_visible + r * growth;
    fs_softmax(p + (long)r * width, visible, scale);
    for (int i = visible; i < width; i++) p[(long)r * width + i] = 0;
  }
}

static void fs_attention_task(void *context, int task) {
  const fs_attention_job *j = context;
  int head = task % j->h, block = j->blocks - 1 - task / j->h;  // the longest blocks first
  int group = head / (j->h / j->g), first = block * fs_query_block;
  int rows = j->t - first < fs_query_block ? j->t - first : fs_query_block;
  int width = j->past + (j->causal ? first + rows : j->t), query_stride = j->h * j->d, key_stride = j->g * j->d;
  float *p = malloc(sizeof(float) * (size_t)rows * (size_t)width);
  if (!p) abort();
  fs_gemm_strided(j->engine, 1, rows, width, j->d, j->q + (long)first * query_stride + head * j->d, query_stride, j->keys + group * j->d,
                  key_stride, p, width);
  fs_softmax_rows(p, rows, width, j->causal ? j->past + first + 1 : width, j->causal, j->scale);
  fs_gemm_strided(j->engine, 0, rows, j->d, width, p, width, j->values + group * j->d, key_stride,
                  j->out + (long)first * query_stride + head * j->d, query_stride);
  if (j->maps) {
    int all = j->past + j->t;
    for (int r = 0; r < rows; r++) {
      float *map = j->maps + ((long)head * j->t + first + r) * all;
      for (int i = 0; i < width; i++) map[i] = p[(long)r * width + i];
      for (int i = width; i < all; i++) map[i] = 0;
    }
  }
  free(p);
}

void fs_attention(int engine, int causal, int t, int past, int h, int g, int d, const float *q, const float *keys, const float *values,
                  float scale, float *out, float *maps, int threads) {
  int blocks = (t + fs_query_block - 1) / fs_query_block;
  fs_attention_job job = {engine, causal, t, past, h, g, d, q, keys, values, scale, out, maps, blocks};
  fs_set_threads(engine, threads);
  fs_parallel_strided(blocks * h, threads, fs_attention_task, &job);
}

typedef struct {
  int b, h, g, d;
  const float *q, *own_keys, *own_values;
  const float *const *prefix_keys;
  const float *const *prefix_values;
  const int *lengths;
  float scale, *out;
} fs_attention_rows_job;

FS_CLONES static void fs_attention_row(void *context, int r) {
  const fs_attention_rows_job *j = context;
  int n = j->lengths[r], d = j->d, per_group = j->h / j->g, stride = j->g * d;
  float stack[1024], *p = stack;
  if (n + 1 > 1024 && !(p = malloc(sizeof(float) * ((size_t)n + 1)))) abort();
  for (int head = 0; head < j->h; head++) {
    int group = head / per_group;
    const float *q = j->q + ((long)r * j->h + head) * d;
    const float *keys = j->prefix_keys[r] + group * d, *values = j->prefix_values[r] + group * d;
    for (int s = 0; s < n; s++) p[s] = fs_dot(q, keys + (long)s * stride, d);
    p[n] = fs_dot(q, j->own_keys + (long)r * stride + group * d, d);
    fs_softmax(p, n + 1, j->scale);
    float *restrict out = j->out + ((long)r * j->h + head) * d;
    const float *own = j->own_values + (long)r * stride + group * d;
    int c = 0;
    for (; c + 64 <= d; c += 64) {  // four vector accumulators: head dimensions are multiples of 64 in practice
      v16f a0 = {0}, a1 = {0}, a2 = {0}, a3 = {0};
      for (int s = 0; s <= n; s++) {
        const float *v = (s < n ? values + (long)s * stride : own) + c;
        v16f w = p[s] - (v16f){0};
        a0 += w * *(const v16f *)v;
        a1 += w * *(const v16f *)(v + 16);
        a2 += w * *(const v16f *)(v + 32);
        a3 += w * *(const v16f *)(v + 48);
      }
      *(v16f *)(out + c) = a0;
      *(v16f *)(out + c + 16) = a1;
      *(v16f *)(out + c + 32) = a2;
      *(v16f *)(out + c + 48) = a3;
    }
    for (; c < d; c++) {
      float total = p[n] * own[c];
      for (int s = 0; s < n; s++) total += p[s] * values[(long)s * stride + c];
      out[c] = total;
    }
  }
  if (p != stack) free(p);
}

void fs_attention_rows(int b, int h, int g, int d, const float *q, const float *own_keys, const float *own_values,
                       const float *const *prefix_keys, const float *const *prefix_values, const int *lengths, float scale, float *out,
                       int threads) {
  fs_attention_rows_job job = {b, h, g, d, q, own_keys, own_values, prefix_keys, prefix_values, lengths, scale, out};
  fs_parallel_strided(b, threads, fs_attention_row, &job);
}
