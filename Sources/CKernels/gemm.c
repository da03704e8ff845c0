// Matrix products behind one small interface.
#include "include/CKernels.h"
#include "internal.h"
#include <dnnl.h>

void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc);

// oneDNN asks OpenMP for its width, a per-thread setting: set it on the calling thread before every product.
extern void omp_set_num_threads(int threads);
void openblas_set_num_threads(int threads);

void fs_set_threads(int engine, int threads) {
  if (engine == 1) openblas_set_num_threads(threads);
  else omp_set_num_threads(threads);
}

int fs_gemm(int engine, int threads, int m, int n, int k, const float *x, const float *w, float *y, int accumulate) {
  if (m == 0 || n == 0) return 0;
  fs_set_threads(engine, threads);
  if (engine == 1) {
    cblas_sgemm(101, 111, 112, m, n, k, 1.0f, x, k, w, k, accumulate ? 1.0f : 0.0f, y, n);
    return 0;
  }
  for (int first = 0; first < k; first += fs_longest_sum) {
    int length = k - first < fs_longest_sum ? k - first : fs_longest_sum;
    float beta = accumulate || first ? 1.0f : 0.0f;
    if (dnnl_sgemm('N', 'T', m, n, length, 1.0f, x + first, k, w + first, k, beta, y, n) != dnnl_success) return 1;
  }
  return 0;
}

void fs_gemm_strided(int engine, int transposed, int m, int n, int k, const float *x, int ldx, const float *w, int ldw, float *y, int ldy) {
  if (engine == 1)
    cblas_sgemm(101, 111, transposed ? 112 : 111, m, n, k, 1.0f, x, ldx, w, ldw, 0.0f, y, ldy);
  else
    dnnl_sgemm('N', transposed ? 'T' : 'N', m, n, k, 1.0f, x, ldx, w, ldw, 0.0f, y, ldy);
}

// Runs oneDNN's matmul primitive once: x [m,k] bf16 row-major, w [n,k] bf16 row-major read as its transpose [k,n], y [m,n] f32.
// Creating the primitive costs microseconds: oneDNN caches primitives by shape.
static int fs_matmul_bf16(int m, int n, int k, const uint16_t *x, const uint16_t *w, float *y, int only_probe) {
  dnnl_engine_t engine = 0;
  dnnl_stream_t stream = 0;
  dnnl_primitive_desc_t description = 0;
  dnnl_primitive_t primitive = 0;
  dnnl_memory_t mx = 0, mw = 0, my = 0;
  dnnl_memory_desc_t dx, dw, dy;
  dnnl_matmul_desc_t op;
  dnnl_dims_t sx = {m, k}, sw = {k, n}, sy = {m, n}, tx = {k, 1}, tw = {1, k}, ty = {n, 1};
  int bad = dnnl_engine_create(&engine, dnnl_cpu, 0) != dnnl_success;
  bad = bad || dnnl_memory_desc_init_by_strides(&dx, 2, sx, dnnl_bf16, tx) != dnnl_success;
  bad = bad || dnnl_memory_desc_init_by_strides(&dw, 2, sw, dnnl_bf16, tw) != dnnl_success;
  bad = bad || dnnl_memory_desc_init_by_strides(&dy, 2, sy, dnnl_f32, ty) != dnnl_success;
  bad = bad || dnnl_matmul_desc_init(&op, &dx, &dw, 0, &dy) != dnnl_success;
  bad = bad || dnnl_primitive_desc_create(&description, &op, 0, engine, 0) != dnnl_success;
  if (!bad && !only_probe) {
    bad = dnnl_primitive_create(&primitive, description) != dnnl_success || dnnl_stream_create(&stream, engine, 0) != dnnl_success ||
          dnnl_memory_create(&mx, &dx, engine, (void *)x) != dnnl_success ||
          dnnl_memory_create(&mw, &dw, engine, (void *)w) != dnnl_success || dnnl_memory_create(&my, &dy, engine, y) != dnnl_success;
    if (!bad) {
      dnnl_exec_arg_t args[3] = {{DNNL_ARG_SRC, mx}, {DNNL_ARG_WEIGHTS, mw}, {DNNL_ARG_DST, my}};
      bad = dnnl_primitive_execute(primitive, stream, 3, args) != dnnl_success || dnnl_stream_wait(stream) != dnnl_success;
    }
  }
  if (mx) dnnl_memory_destroy(mx);
  if (mw) dnnl_memory_destroy(mw);
  if (my) dnnl_memory_destroy(my);
  if (primitive) dnnl_primitive_destroy(primitive);
  if (description) dnnl_primitive_desc_destroy(description);
  if (stream) dnnl_stream_destroy(stream);
  if (engine) dnnl_engine_destroy(engine);
  return bad;
}

int fs_gemm_bf16(int threads, int m, int n, int k, const uint16_t *x, const uint16_t *w, float *y) {
  omp_set_num_threads(threads);
  return m == 0 || n == 0 ? 0 : fs_matmul_bf16(m, n, k, x, w, y, 0);
}

// True only where bf16 products are fast: oneDNN has them from AVX-512 on.
int fs_has_bf16_gemm(void) {
  return dnnl_get_effective_cpu_isa() >= dnnl_cpu_isa_avx512_core && fs_matmul_bf16(32, 32, 32, 0, 0, 0, 1) == 0;
}

const char *fs_cpu_level(void) {
  dnnl_cpu_isa_t isa = dnnl_get_effective_cpu_isa();
  if (isa == dnnl_cpu_isa_avx512_core_amx) return "avx512_core_amx";
  if (isa >= dnnl_cpu_isa_avx512_core_bf16) return "avx512_core_bf16";
  if (isa >= dnnl_cpu_isa_avx512_core) return "avx512_core";
  if (isa >= dnnl_cpu_isa_avx2) return "avx2";
  return "sse4.1";
}
