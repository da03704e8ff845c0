// One thread pool for everything: libgomp's, entered through its stable C ABI, because oneDNN's products run in it too.
#include "include/CKernels.h"
#include "internal.h"
#include <malloc.h>
#include <unistd.h>

extern void GOMP_parallel(void (*fn)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern int omp_get_num_threads(void);
extern int omp_in_parallel(void);

typedef struct {
  int count;
  void (*body)(void *, int);
  void *context;
} fs_loop;

static void fs_share(void *data) {
  fs_loop *loop = data;
  int thread = omp_get_thread_num(), threads = omp_get_num_threads();
  int first = (int)((long)loop->count * thread / threads), last = (int)((long)loop->count * (thread + 1) / threads);
  for (int i = first; i < last; i++) loop->body(loop->context, i);
}

void fs_parallel(int count, int threads, void (*body)(void *, int), void *context) {
  if (threads > count) threads = count;
  if (threads <= 1 || omp_in_parallel()) {
    for (int i = 0; i < count; i++) body(context, i);
    return;
  }
  fs_loop loop = {count, body, context};
  GOMP_parallel(fs_share, &loop, (unsigned)threads, 0);
}

static void fs_stride(void *data) {
  fs_loop *loop = data;
  for (int i = omp_get_thread_num(); i < loop->count; i += omp_get_num_threads()) loop->body(loop->context, i);
}

void fs_parallel_strided(int count, int threads, void (*body)(void *, int), void *context) {
  if (threads > count) threads = count;
  if (threads <= 1 || omp_in_parallel()) {
    for (int i = 0; i < count; i++) body(context, i);
    return;
  }
  fs_loop loop = {count, body, context};
  GOMP_parallel(fs_stride, &loop, (unsigned)threads, 0);
}

int fs_processors(void) {
  long n = sysconf(_SC_NPROCESSORS_ONLN);
  return n < 1 ? 1 : (int)n;
}

void fs_keep_freed_memory(void) {
  // glibc refuses thresholds over 32 MB and, once any is set, no longer raises its own: blocks over 128 KB would each be mapped and zeroed anew.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, 2000000000);
}
