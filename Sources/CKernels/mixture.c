// Convex mixtures of table rows: the relaxed tokens of embedding inversion.
#include "include/CKernels.h"
#include "vectors.h"

// Weights below this add nothing to an f32 sum of at most 2^20 rows that a weight of 1 or of 1/2^20 leads.
static const float fs_negligible = 1e-13f;

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
  for (int i = 0; i < j->k; i++) {
    p[i] *= inverse;
    if (p[i] < fs_negligible) continue;
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
