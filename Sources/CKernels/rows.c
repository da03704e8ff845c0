// Row-wise and element-wise kernels.
#include "include/CKernels.h"
#include "vectors.h"
#include <math.h>

enum { fs_rows_per_task = 8, fs_values_per_task = 16384 };

static int fs_tasks(long n, long per_task) { return (int)((n + per_task - 1) / per_task); }
FS_INLINE long fs_least(long a, long b) { return a < b ? a : b; }

typedef struct { int b, c; const float *x, *weight; float epsilon; float *y; } fs_norm_job;

FS_CLONES static void fs_norm_task(void *context, int task) {
  const fs_norm_job *j = context;
  for (long r = (long)task * fs_rows_per_task; r < fs_least(j->b, (task + 1L) * fs_rows_per_task); r++) {
    const float *x = j->x + r * j->c;
    float *y = j->y + r * j->c;
    float inverse = 1.0f / sqrtf(fs_dot(x, x, j->c) / (float)j->c + j->epsilon);
    for (int i = 0; i < j->c; i++) y[i] = x[i] * inverse * j->weight[i];
  }
}

void fs_rms_norm(int b, int c, const float *x, const float *weight, float epsilon, float *y, int threads) {
  fs_norm_job job = {b, c, x, weight, epsilon, y};
  fs_parallel(fs_tasks(b, fs_rows_per_task), threads, fs_norm_task, &job);
}

typedef struct { long n; float *x; const float *y; int c; } fs_pair_job;

FS_CLONES static void fs_swiglu_task(void *context, int task) {
  const fs_pair_job *j = context;
  float *restrict gate = j->x;
  const float *restrict up = j->y;
  for (long i = (long)task * fs_values_per_task, e = fs_least(j->n, i + fs_values_per_task); i < e; i++)
    gate[i] = gate[i] / (1.0f + fs_exp(-gate[i])) * up[i];
}

void fs_swiglu(long n, float *gate, const float *up, int threads) {
  fs_pair_job job = {n, gate, up, 0};
  fs_parallel(fs_tasks(n, fs_values_per_task), threads, fs_swiglu_task, &job);
}

FS_CLONES static void fs_add_task(void *context, int task) {
  const fs_pair_job *j = context;
  float *restrict x = j->x;
  const float *restrict y = j->y;
  for (long i = (long)task * fs_values_per_task, e = fs_least(j->n, i + fs_values_per_task); i < e; i++) x[i] += y[i];
}

void fs_add(long n, float *x, const float *y, int threads) {
  fs_pair_job job = {n, x, y, 0};
  fs_parallel(fs_tasks(n, fs_values_per_task), threads, fs_add_task, &job);
}

FS_CLONES static void fs_bias_task(void *context, int task) {
  const fs_pair_job *j = context;
  float *restrict x = j->x + (long)task * j->c;
  for (int i = 0; i < j->c; i++) x[i] += j->y[i];
}

void fs_add_bias(int b, int c, float *x, const float *bias, int threads) {
  fs_pair_job job = {(long)b * c, x, bias, c};
  fs_parallel(b, threads, fs_bias_task, &job);
}

typedef struct { int b, h, d; float *x; const float *cosines, *sines; const int *angle; } fs_rope_job;

FS_CLONES static void fs_rope_task(void *context, int task) {
  const fs_rope_job *j = context;
  int half = j->d / 2;
  for (long r = (long)task * fs_rows_per_task; r < fs_least(j->b, (task + 1L) * fs_rows_per_task); r++) {
    const float *c = j->cosines + (long)j->angle[r] * half, *s = j->sines + (long)j->angle[r] * half;
    for (int h = 0; h < j->h; h++) {
      float *restrict a = j->x + (r * j->h + h) * j->d;
      float *restrict b = a + half;
      for (int i = 0; i < half; i++) {
        float u = a[i], v = b[i];
        a[i] = u * c[i] - v * s[i];
        b[i] = v * c[i] + u * s[i];
      }
    }
  }
}

void fs_rope(int b, int h, int d, float *x, const float *cosines, const float *sines, const int *angle, int threads) {
  fs_rope_job job = {b, h, d, x, cosines, sines, angle};
  fs_parallel(fs_tasks(b, fs_rows_per_task), threads, fs_rope_task, &job);
}

typedef struct { int b, c; const float *x, *y; const int *target; float *out; } fs_reduce_job;

FS_CLONES static void fs_distance_task(void *context, int task) {
  const fs_reduce_job *j = context;
  for (long r = (long)task * fs_rows_per_task; r < fs_least(j->b, (task + 1L) * fs_rows_per_task); r++) {
    const float *x = j->x + r * j->c, *y = j->y + (long)j->target[r] * j->c;
    v16f sum = {0};
    int i = 0;
    for (; i + 16 <= j->c; i += 16) {
      v16f difference = *(const v16f *)(x + i) - *(const v16f *)(y + i);
      sum += difference * difference;
    }
    float total = fs_sum16(&sum);
    for (; i < j->c; i++) total += (x[i] - y[i]) * (x[i] - y[i]);
    j->out[r] = total;
  }
}

void fs_squared_distances(int b, int c, const float *x, const float *y, const int *target, float *distances, int threads) {
  fs_reduce_job job = {b, c, x, y, target, distances};
  fs_parallel(fs_tasks(b, fs_rows_per_task), threads, fs_distance_task, &job);
}

FS_CLONES static void fs_log_sum_exp_task(void *context, int row) {
  const fs_reduce_job *j = context;
  const float *x = j->x + (long)row * j->c;
  float largest = -INFINITY;
  for (int i = 0; i < j->c; i++) largest = x[i] > largest ? x[i] : largest;
  double total = 0;
  for (int i = 0; i < j->c; i += 4096) {
    int n = j->c - i < 4096 ? j->c - i : 4096, k = 0;
    v16f sum = {0};
    for (; k + 16 <= n; k += 16) {
      float e[16];
      for (int l = 0; l < 16; l++) e[l] = fs_exp(x[i + k + l] - largest);
      sum += *(const v16f *)e;
    }
    total += fs_sum16(&sum);
    for (; k < n; k++) total += fs_exp(x[i + k] - largest);
  }
  j->out[row] = largest + (float)log(total);
}

void fs_log_sum_exp(int b, int c, const float *x, float *out, int threads) {
  fs_reduce_job job = {b, c, x, 0, 0, out};
  fs_parallel(b, threads, fs_log_sum_exp_task, &job);
}

typedef struct { int b, c; float *x; float bound; } fs_clip_job;

FS_CLONES static void fs_clip_row(void *context, int row) {
  const fs_clip_job *j = context;
  float *restrict x = j->x + (long)row * j->c;
  float norm = sqrtf(fs_dot(x, x, j->c));
  if (norm > j->bound)
    for (int i = 0; i < j->c; i++) x[i] *= j->bound / norm;
}

void fs_clip_rows(int b, int c, float *x, float bound, int threads) {
  fs_clip_job job = {b, c, x, bound};
  fs_parallel(b, threads, fs_clip_row, &job);
}
