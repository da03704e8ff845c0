// Convex mixtures of table rows: the relaxed tokens of embedding inversion.
#include "include/CKernels.h"
#include "vectors.h"

// Weights below this add nothing to an f32 sum of at most 2^20 rows that a weight of 1 or of 1/2^20 leads.
static const float fs_negligible = 1e-13f;

// Rows of the table lie anywhere in memory: ask for one while another is being multiplied.
FS_INLINE void fs_prefetch_row(const float *row, int c) {
  for (int n = 0; n < c; n += 16) __builtin_prefetch(row + n, 0, 1);
}

enum { fs_rows_ahead = 4 };

typedef struct {
  int k, c;
  const float *z, *table, *p, *dy, *cost;
  const int *ids;
  float scale, *weights, *y, *dz;
} fs_mixture_job;

FS_CLONES static void fs_mixture_row(void *context, int row) {
  const fs_mixture_job *j = context;
  const float *restrict z = j->z + (long)row * j->k;
  const int *ids = j->ids + (long)row * j->k;
  float *restrict p = j->weights + (long)row * j->k;
  float *restrict y = j->y + (long)row * j->c;
  float top = z[0];
  for (int i = 1; i < j->k; i++) top = z[i] > top ? z[i] : top;
  for (int i = 0; i < j->k; i++) p[i] = fs_exp((z[i] - top) * j->scale);
  double total = 0;
  for (int i = 0; i < j->k; i++) total += p[i];
  float inverse = (float)(1 / total);
  memset(y, 0, (size_t)j->c * sizeof *y);
  for (int i = 0; i < j->k; i++) p[i] *= inverse;
  // Four rows at a time, so that y is read and written a quarter as often.
  int i = 0;
  for (; i + 4 <= j->k; i += 4) {
    for (int n = i + fs_rows_ahead; n < i + 4 + fs_rows_ahead && n < j->k; n++)
      if (p[n] >= fs_negligible) fs_prefetch_row(j->table + (long)ids[n] * j->c, j->c);
    const float a0 = p[i], a1 = p[i + 1], a2 = p[i + 2], a3 = p[i + 3];
    if (a0 < fs_negligible && a1 < fs_negligible && a2 < fs_negligible && a3 < fs_negligible) continue;
    const float *restrict e0 = j->table + (long)ids[i] * j->c, *restrict e1 = j->table + (long)ids[i + 1] * j->c;
    const float *restrict e2 = j->table + (long)ids[i + 2] * j->c, *restrict e3 = j->table + (long)ids[i + 3] * j->c;
    for (int n = 0; n < j->c; n++) y[n] += (a0 * e0[n] + a1 * e1[n]) + (a2 * e2[n] + a3 * e3[n]);
  }
  for (; i < j->k; i++) {
    const float *restrict e = j->table + (long)ids[i] * j->c;
    for (int n = 0; n < j->c; n++) y[n] += p[i] * e[n];
  }
}

void fs_mixture(int b, int k, int c, const float *z, const int *ids, float scale, const float *table, float *p, float *y, int threads) {
  fs_mixture_job job = {.k = k, .c = c, .z = z, .ids = ids, .scale = scale, .table = table, .weights = p, .y = y};
  fs_parallel(b, threads, fs_mixture_row, &job);
}

FS_CLONES static void fs_mixture_backward_row(void *context, int row) {
  const fs_mixture_job *j = context;
  const float *restrict p = j->p + (long)row * j->k;
  const float *dy = j->dy + (long)row * j->c;
  const int *ids = j->ids + (long)row * j->k;
  float *restrict dz = j->dz + (long)row * j->k;
  double mean = 0;
  for (int i = 0; i < j->k; i++) {
    if (i + fs_rows_ahead < j->k) fs_prefetch_row(j->table + (long)ids[i + fs_rows_ahead] * j->c, j->c);
    dz[i] = fs_dot(dy, j->table + (long)ids[i] * j->c, j->c) + (j->cost ? j->cost[(long)row * j->k + i] : 0);
    mean += (double)p[i] * dz[i];
  }
  for (int i = 0; i < j->k; i++) dz[i] = j->scale * p[i] * (dz[i] - (float)mean);
}

void fs_mixture_backward(int b, int k, int c, const float *p, const int *ids, float scale, const float *table, const float *dy,
                         const float *cost, float *dz, int threads) {
  fs_mixture_job job = {.k = k, .c = c, .p = p, .ids = ids, .scale = scale, .table = table, .dy = dy, .cost = cost, .dz = dz};
  fs_parallel(b, threads, fs_mixture_backward_row, &job);
}
