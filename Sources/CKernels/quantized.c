// Weights as stored: block-quantised (GGUF Q4_1, Q8_0) and bf16. For few rows the product is bound by reading the weights, so it works on the
// stored bytes; many rows are widened once and go through the f32 product.
#include "include/CKernels.h"
#include "vectors.h"
#include <immintrin.h>
#include <math.h>
#include <stdlib.h>

enum { fs_block = 32, fs_q4_1_bytes = 20, fs_q8_0_bytes = 34, fs_outputs_per_task = 64 };

FS_INLINE float fs_half(const uint8_t *bytes) {
  _Float16 h;
  memcpy(&h, bytes, 2);
  return (float)h;
}

FS_CLONES void fs_widen_q4_1(long blocks, const uint8_t *w, float *out) {
  for (long b = 0; b < blocks; b++, w += fs_q4_1_bytes, out += fs_block) {
    float d = fs_half(w), m = fs_half(w + 2);
    for (int i = 0; i < 16; i++) {
      out[i] = d * (float)(w[4 + i] & 15) + m;
      out[i + 16] = d * (float)(w[4 + i] >> 4) + m;
    }
  }
}

FS_CLONES void fs_widen_q8_0(long blocks, const uint8_t *w, float *out) {
  for (long b = 0; b < blocks; b++, w += fs_q8_0_bytes, out += fs_block) {
    float d = fs_half(w);
    for (int i = 0; i < fs_block; i++) out[i] = d * (float)(int8_t)w[2 + i];
  }
}

FS_CLONES void fs_widen_bf16(long n, const uint16_t *w, float *out) {
  for (long i = 0; i < n; i++) {
    uint32_t bits = (uint32_t)w[i] << 16;
    memcpy(out + i, &bits, 4);
  }
}

FS_CLONES void fs_narrow_bf16(long n, const float *x, uint16_t *out) {
  for (long i = 0; i < n; i++) {
    uint32_t bits;
    memcpy(&bits, x + i, 4);
    uint32_t rounded = bits + 0x7FFF + (bits >> 16 & 1);
    out[i] = (uint16_t)((bits & 0x7FFFFFFF) > 0x7F800000 ? (bits >> 16) | 0x40 : rounded >> 16);
  }
}

// One row of activations in blocks of 32 int8: x[i] ~ scale[block] * q[i]; sum[block] = scale * sum of q, for weights with an offset.
typedef struct { int8_t *q; float *scale, *sum; } fs_activations;

FS_CLONES static void fs_quantize_row(int k, const float *x, fs_activations a) {
  for (int b = 0; b < k / fs_block; b++) {
    float largest = 0;
    for (int i = 0; i < fs_block; i++) {
      float v = fabsf(x[b * fs_block + i]);
      largest = v > largest ? v : largest;
    }
    float scale = largest / 127.0f, inverse = largest > 0 ? 127.0f / largest : 0;
    int total = 0;
    for (int i = 0; i < fs_block; i++) {
      int v = (int)__builtin_nearbyintf(x[b * fs_block + i] * inverse);
      a.q[b * fs_block + i] = (int8_t)v;
      total += v;
    }
    a.scale[b] = scale;
    a.sum[b] = scale * (float)total;
  }
}

static fs_activations fs_quantize(int m, int k, const float *x) {
  size_t blocks = (size_t)m * (size_t)(k / fs_block);
  char *memory = malloc(blocks * (fs_block + 2 * sizeof(float)));
  if (!memory) abort();
  fs_activations a = {(int8_t *)(memory + blocks * 2 * sizeof(float)), (float *)memory, (float *)memory + blocks};
  for (int r = 0; r < m; r++) {
    size_t o = (size_t)r * (size_t)(k / fs_block);
    fs_quantize_row(k, x + (size_t)r * (size_t)k, (fs_activations){a.q + o * fs_block, a.scale + o, a.sum + o});
  }
  return a;
}

typedef struct { int m, n, k; const float *x; const uint8_t *w; float *y; fs_activations a; int wide; } fs_product_job;

static float fs_dot_q4_1(int blocks, const uint8_t *w, const int8_t *q, const float *scale, const float *sum) {
  float total = 0;
  for (int b = 0; b < blocks; b++, w += fs_q4_1_bytes, q += fs_block) {
    int s = 0;
    for (int i = 0; i < 16; i++) s += (w[4 + i] & 15) * q[i] + (w[4 + i] >> 4) * q[i + 16];
    total += fs_half(w) * scale[b] * (float)s + fs_half(w + 2) * sum[b];
  }
  return total;
}

static float fs_dot_q8_0(int blocks, const uint8_t *w, const int8_t *q, const float *scale) {
  float total = 0;
  for (int b = 0; b < blocks; b++, w += fs_q8_0_bytes, q += fs_block) {
    int s = 0;
    for (int i = 0; i < fs_block; i++) s += (int8_t)w[2 + i] * q[i];
    total += fs_half(w) * scale[b] * (float)s;
  }
  return total;
}

#define FS_AVX2 __attribute__((target("avx2,fma,f16c")))

FS_AVX2 static inline float fs_sum8(__m256 v) {
  __m128 s = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  s = _mm_add_ps(s, _mm_movehl_ps(s, s));
  return _mm_cvtss_f32(_mm_add_ss(s, _mm_movehdup_ps(s)));
}

FS_AVX2 static inline float fs_half_avx2(const uint8_t *bytes) {
  uint16_t h;
  memcpy(&h, bytes, 2);
  return _mm_cvtss_f32(_mm_cvtph_ps(_mm_cvtsi32_si128(h)));
}

FS_AVX2 static float fs_dot_q4_1_avx2(int blocks, const uint8_t *w, const int8_t *q, const float *scale, const float *sum) {
  const __m256i low = _mm256_set1_epi8(15), ones = _mm256_set1_epi16(1);
  __m256 total = _mm256_setzero_ps(), second = _mm256_setzero_ps();
  float offset = 0;
  int b = 0;
  for (; b + 2 <= blocks; b += 2, w += 2 * fs_q4_1_bytes, q += 2 * fs_block) {
    __m128i n0 = _mm_loadu_si128((const __m128i *)(w + 4)), n1 = _mm_loadu_si128((const __m128i *)(w + fs_q4_1_bytes + 4));
    __m256i u0 = _mm256_and_si256(low, _mm256_inserti128_si256(_mm256_castsi128_si256(n0), _mm_srli_epi16(n0, 4), 1));
    __m256i u1 = _mm256_and_si256(low, _mm256_inserti128_si256(_mm256_castsi128_si256(n1), _mm_srli_epi16(n1, 4), 1));
    __m256i s0 = _mm256_madd_epi16(ones, _mm256_maddubs_epi16(u0, _mm256_loadu_si256((const __m256i *)q)));
    __m256i s1 = _mm256_madd_epi16(ones, _mm256_maddubs_epi16(u1, _mm256_loadu_si256((const __m256i *)(q + fs_block))));
    total = _mm256_fmadd_ps(_mm256_set1_ps(fs_half_avx2(w) * scale[b]), _mm256_cvtepi32_ps(s0), total);
    second = _mm256_fmadd_ps(_mm256_set1_ps(fs_half_avx2(w + fs_q4_1_bytes) * scale[b + 1]), _mm256_cvtepi32_ps(s1), second);
    offset += fs_half_avx2(w + 2) * sum[b] + fs_half_avx2(w + fs_q4_1_bytes + 2) * sum[b + 1];
  }
  float rest = b < blocks ? fs_dot_q4_1(1, w, q, scale + b, sum + b) : 0;
  return fs_sum8(_mm256_add_ps(total, second)) + offset + rest;
}

FS_AVX2 static float fs_dot_q8_0_avx2(int blocks, const uint8_t *w, const int8_t *q, const float *scale) {
  const __m256i ones = _mm256_set1_epi16(1);
  __m256 total = _mm256_setzero_ps();
  for (int b = 0; b < blocks; b++, w += fs_q8_0_bytes, q += fs_block) {
    __m256i v = _mm256_loadu_si256((const __m256i *)(w + 2)), a = _mm256_loadu_si256((const __m256i *)q);
    __m256i s = _mm256_madd_epi16(ones, _mm256_maddubs_epi16(_mm256_sign_epi8(v, v), _mm256_sign_epi8(a, v)));
    total = _mm256_fmadd_ps(_mm256_set1_ps(fs_half_avx2(w) * scale[b]), _mm256_cvtepi32_ps(s), total);
  }
  return fs_sum8(total);
}

static void fs_q4_1_task(void *context, int task) {
  const fs_product_job *j = context;
  int blocks = j->k / fs_block, last = (task + 1) * fs_outputs_per_task;
  for (int n = task * fs_outputs_per_task; n < (last < j->n ? last : j->n); n++)
    for (int m = 0; m < j->m; m++) {
      size_t o = (size_t)m * (size_t)blocks;
      const uint8_t *w = j->w + (size_t)n * (size_t)blocks * fs_q4_1_bytes;
      j->y[(size_t)m * (size_t)j->n + (size_t)n] = (j->wide ? fs_dot_q4_1_avx2 : fs_dot_q4_1)(blocks, w, j->a.q + o * fs_block, j->a.scale + o, j->a.sum + o);
    }
}

static void fs_q8_0_task(void *context, int task) {
  const fs_product_job *j = context;
  int blocks = j->k / fs_block, last = (task + 1) * fs_outputs_per_task;
  for (int n = task * fs_outputs_per_task; n < (last < j->n ? last : j->n); n++)
    for (int m = 0; m < j->m; m++) {
      size_t o = (size_t)m * (size_t)blocks;
      const uint8_t *w = j->w + (size_t)n * (size_t)blocks * fs_q8_0_bytes;
      j->y[(size_t)m * (size_t)j->n + (size_t)n] = (j->wide ? fs_dot_q8_0_avx2 : fs_dot_q8_0)(blocks, w, j->a.q + o * fs_block, j->a.scale + o);
    }
}

static void fs_quantized_product(int m, int n, int k, const float *x, const uint8_t *w, float *y, int threads, void (*task)(void *, int)) {
  __builtin_cpu_init();
  int wide = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
  fs_product_job job = {m, n, k, x, w, y, fs_quantize(m, k, x), wide};
  fs_parallel((n + fs_outputs_per_task - 1) / fs_outputs_per_task, threads, task, &job);
  free(job.a.scale);
}

void fs_matvec_q4_1(int m, int n, int k, const float *x, const uint8_t *w, float *y, int threads) {
  fs_quantized_product(m, n, k, x, w, y, threads, fs_q4_1_task);
}

void fs_matvec_q8_0(int m, int n, int k, const float *x, const uint8_t *w, float *y, int threads) {
  fs_quantized_product(m, n, k, x, w, y, threads, fs_q8_0_task);
}

typedef float v8f __attribute__((vector_size(32), aligned(4)));

FS_INLINE float fs_sum_v8(v8f v) { return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7])); }

// y[m, n] for up to 4 rows of x and 2 of w: eight accumulators stay in registers, every weight is loaded once for all rows.
FS_INLINE void fs_tile(int rows, int k, const float *x, const float *w0, const float *w1, float *y, size_t stride, int pair) {
  v8f a[4] = {{0}}, b[4] = {{0}};
  int i = 0;
  for (; i + 8 <= k; i += 8) {
    v8f u = *(const v8f *)(w0 + i), v = *(const v8f *)(w1 + i);
    for (int m = 0; m < rows; m++) {
      v8f t = *(const v8f *)(x + (size_t)m * (size_t)k + i);
      a[m] += t * u;
      b[m] += t * v;
    }
  }
  for (int m = 0; m < rows; m++) {
    float p = fs_sum_v8(a[m]), q = fs_sum_v8(b[m]);
    for (int j = i; j < k; j++) {
      p += x[(size_t)m * (size_t)k + j] * w0[j];
      q += x[(size_t)m * (size_t)k + j] * w1[j];
    }
    y[(size_t)m * stride] = p;
    if (pair) y[(size_t)m * stride + 1] = q;
  }
}

// All m rows of x against the weights w0, w1 of outputs n and n + 1.
FS_INLINE void fs_tiles(const fs_product_job *j, int n, const float *w0, const float *w1) {
  int m = 0, pair = n + 1 < j->n;
  size_t k = (size_t)j->k, stride = (size_t)j->n;
  float *y = j->y + n;
  for (; m + 4 <= j->m; m += 4) fs_tile(4, j->k, j->x + (size_t)m * k, w0, w1, y + (size_t)m * stride, stride, pair);
  switch (j->m - m) {  // constant row counts keep the accumulators in registers
    case 3: fs_tile(3, j->k, j->x + (size_t)m * k, w0, w1, y + (size_t)m * stride, stride, pair); break;
    case 2: fs_tile(2, j->k, j->x + (size_t)m * k, w0, w1, y + (size_t)m * stride, stride, pair); break;
    case 1: fs_tile(1, j->k, j->x + (size_t)m * k, w0, w1, y + (size_t)m * stride, stride, pair); break;
    default: break;
  }
}

FS_CLONES static void fs_bf16_task(void *context, int task) {
  const fs_product_job *j = context;
  int last = (task + 1) * fs_outputs_per_task;
  float *wide = malloc(2 * sizeof(float) * (size_t)j->k);
  if (!wide) abort();
  for (int n = task * fs_outputs_per_task; n < (last < j->n ? last : j->n); n += 2) {
    const uint16_t *w = (const uint16_t *)j->w + (size_t)n * (size_t)j->k;
    size_t count = (size_t)j->k * (n + 1 < j->n ? 2 : 1);
    for (size_t i = 0; i < count; i++) {
      uint32_t bits = (uint32_t)w[i] << 16;
      memcpy(wide + i, &bits, 4);
    }
    fs_tiles(j, n, wide, n + 1 < j->n ? wide + j->k : wide);
  }
  free(wide);
}

FS_CLONES static void fs_f32_task(void *context, int task) {
  const fs_product_job *j = context;
  int last = (task + 1) * fs_outputs_per_task;
  for (int n = task * fs_outputs_per_task; n < (last < j->n ? last : j->n); n += 2) {
    const float *w = (const float *)j->w + (size_t)n * (size_t)j->k;
    fs_tiles(j, n, w, n + 1 < j->n ? w + j->k : w);
  }
}

void fs_matvec_bf16(int m, int n, int k, const float *x, const uint16_t *w, float *y, int threads) {
  fs_product_job job = {m, n, k, x, (const uint8_t *)w, y, {0}, 0};
  fs_parallel((n + fs_outputs_per_task - 1) / fs_outputs_per_task, threads, fs_bf16_task, &job);
}

void fs_matvec_f32(int m, int n, int k, const float *x, const float *w, float *y, int threads) {
  fs_product_job job = {m, n, k, x, (const uint8_t *)w, y, {0}, 0};
  fs_parallel((n + fs_outputs_per_task - 1) / fs_outputs_per_task, threads, fs_f32_task, &job);
}
