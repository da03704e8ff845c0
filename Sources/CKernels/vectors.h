// Portable vector types (clang vector extensions) and helpers that inline into every target clone.
#pragma once
#include <stdint.h>
#include <string.h>

#define FS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define FS_INLINE static inline __attribute__((always_inline))

typedef float v16f __attribute__((vector_size(64), aligned(4)));
typedef int32_t v16i __attribute__((vector_size(64), aligned(4)));

FS_INLINE float fs_sum16(const v16f *v) {
  float a[16];
  memcpy(a, v, sizeof a);
  for (int w = 8; w >= 1; w /= 2)
    for (int i = 0; i < w; i++) a[i] += a[i + w];
  return a[0];
}

FS_INLINE float fs_dot(const float *a, const float *b, int n) {
  v16f s0 = {0}, s1 = {0};
  int i = 0;
  for (; i + 32 <= n; i += 32) {
    s0 += *(const v16f *)(a + i) * *(const v16f *)(b + i);
    s1 += *(const v16f *)(a + i + 16) * *(const v16f *)(b + i + 16);
  }
  s0 += s1;
  float sum = fs_sum16(&s0);
  for (; i < n; i++) sum += a[i] * b[i];
  return sum;
}

// e^x to about 2 ulp for x <= 88; flushes to 0 below -87.3. Cody-Waite reduction and a degree-6 polynomial (Cephes expf), branch-free so that
// the loop around it vectorises.
FS_INLINE float fs_exp(float x) {
  float clamped = x < -87.33f ? -87.33f : (x > 88.0f ? 88.0f : x);
  float n = clamped * 1.44269504088896341f;
  n = __builtin_nearbyintf(n);
  float r = clamped - n * 0.693359375f + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  int32_t bits = ((int32_t)n + 127) << 23;
  float power;
  memcpy(&power, &bits, 4);
  float y = p * power;
  return x < -87.33f ? 0.0f : y;
}
