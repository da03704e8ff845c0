// Products with weights that oneDNN has laid out for itself once (its block layout, AVX-512 only). A plain sgemm packs the weights again for
// every call: at 24 rows that is half of the time.
#include "include/CKernels.h"
#include "internal.h"
#include <dnnl.h>
#include <stdlib.h>
#include <string.h>

extern void omp_set_num_threads(int threads);

// f32 sums run over `piece` inputs at a time (see fs_longest_sum); every piece has its own memory.
struct fs_packed {
  dnnl_engine_t engine;
  dnnl_data_type_t type;
  int inputs, outputs, piece, pieces;
  dnnl_memory_t weights[];
};

// The product of `rows` rows of `inputs` values in the given weight layout; added to y unless it is the first.
// oneDNN keeps the generated code of a shape, so that asking again costs microseconds.
static dnnl_status_t fs_describe(const fs_packed *p, int rows, int inputs, int is_first, const dnnl_memory_desc_t *weights,
                                 dnnl_primitive_desc_t *out) {
  dnnl_memory_desc_t x, y;
  dnnl_matmul_desc_t product;
  dnnl_primitive_attr_t adding = 0;
  dnnl_post_ops_t sum = 0;
  dnnl_dims_t x_size = {rows, inputs}, y_size = {rows, p->outputs};
  dnnl_status_t status = dnnl_memory_desc_init_by_tag(&x, 2, x_size, p->type, dnnl_ab);
  if (status == dnnl_success) status = dnnl_memory_desc_init_by_tag(&y, 2, y_size, dnnl_f32, dnnl_ab);
  if (status == dnnl_success) status = dnnl_matmul_desc_init(&product, &x, weights, 0, &y);
  if (status == dnnl_success && !is_first) {
    status = dnnl_primitive_attr_create(&adding);
    if (status == dnnl_success) status = dnnl_post_ops_create(&sum);
    if (status == dnnl_success) status = dnnl_post_ops_append_sum(sum, 1);
    if (status == dnnl_success) status = dnnl_primitive_attr_set_post_ops(adding, sum);
  }
  if (status == dnnl_success) status = dnnl_primitive_desc_create(out, &product, adding, p->engine, 0);
  if (sum) dnnl_post_ops_destroy(sum);
  if (adding) dnnl_primitive_attr_destroy(adding);
  return status;
}

// Runs `primitive` once; args are memories that stay the caller's.
static dnnl_status_t fs_execute(dnnl_engine_t engine, dnnl_primitive_desc_t description, int count, const dnnl_exec_arg_t *args) {
  dnnl_primitive_t primitive = 0;
  dnnl_stream_t stream = 0;
  dnnl_status_t status = dnnl_primitive_create(&primitive, description);
  if (status == dnnl_success) status = dnnl_stream_create(&stream, engine, 0);
  if (status == dnnl_success) status = dnnl_primitive_execute(primitive, stream, count, args);
  if (status == dnnl_success) status = dnnl_stream_wait(stream);
  if (stream) dnnl_stream_destroy(stream);
  if (primitive) dnnl_primitive_destroy(primitive);
  return status;
}

static dnnl_status_t fs_reorder(dnnl_engine_t engine, const dnnl_memory_desc_t *from, const void *values, const dnnl_memory_desc_t *to,
                                dnnl_memory_t *out) {
  dnnl_memory_t source = 0;
  dnnl_primitive_desc_t description = 0;
  dnnl_status_t status = dnnl_memory_create(&source, from, engine, (void *)values);
  if (status == dnnl_success) status = dnnl_memory_create(out, to, engine, DNNL_MEMORY_ALLOCATE);
  if (status == dnnl_success) status = dnnl_reorder_primitive_desc_create(&description, from, engine, to, engine, 0);
  if (status == dnnl_success) {
    dnnl_exec_arg_t args[2] = {{DNNL_ARG_FROM, source}, {DNNL_ARG_TO, *out}};
    status = fs_execute(engine, description, 2, args);
  }
  if (description) dnnl_primitive_desc_destroy(description);
  if (source) dnnl_memory_destroy(source);
  return status;
}

static int fs_piece_inputs(const fs_packed *p, int piece) {
  int rest = p->inputs - piece * p->piece;
  return rest < p->piece ? rest : p->piece;
}

// Packs the weights of one piece's inputs.
static dnnl_status_t fs_pack_piece(fs_packed *p, int piece, int transposed, const void *weights) {
  int first = piece * p->piece, count = fs_piece_inputs(p, piece);
  size_t value = p->type == dnnl_bf16 ? 2 : 4, step = transposed ? 1 : (size_t)p->outputs;
  dnnl_memory_desc_t plain, any;
  dnnl_dims_t size = {count, p->outputs}, strides = {transposed ? 1 : p->outputs, transposed ? p->inputs : 1};
  dnnl_primitive_desc_t description = 0;
  dnnl_status_t status = dnnl_memory_desc_init_by_strides(&plain, 2, size, p->type, strides);
  if (status == dnnl_success) status = dnnl_memory_desc_init_by_tag(&any, 2, size, p->type, dnnl_format_tag_any);
  if (status == dnnl_success) status = fs_describe(p, 512, count, piece == 0, &any, &description);
  if (status == dnnl_success) {
    const dnnl_memory_desc_t *chosen = dnnl_primitive_desc_query_md(description, dnnl_query_weights_md, 0);
    // Without blocks it is a plain matrix again: a CPU for which oneDNN has no layout of its own.
    status = chosen->format_desc.blocking.inner_nblks == 0
                 ? dnnl_unimplemented
                 : fs_reorder(p->engine, &plain, (const char *)weights + (size_t)first * step * value, chosen, &p->weights[piece]);
  }
  if (description) dnnl_primitive_desc_destroy(description);
  return status;
}

fs_packed *fs_pack(int is_bf16, int transposed, int rows, int columns, const void *weights, int threads) {
  int inputs = transposed ? columns : rows;
  int pieces = is_bf16 ? 1 : (inputs + fs_longest_sum - 1) / fs_longest_sum, piece = (inputs + pieces - 1) / pieces;
  fs_packed *p = calloc(1, sizeof(fs_packed) + sizeof(dnnl_memory_t) * (size_t)pieces);
  if (!p) return 0;
  omp_set_num_threads(threads);
  *p = (fs_packed){.type = is_bf16 ? dnnl_bf16 : dnnl_f32, .inputs = inputs, .outputs = transposed ? rows : columns, .piece = piece,
                   .pieces = pieces};
  dnnl_status_t status = dnnl_engine_create(&p->engine, dnnl_cpu, 0);
  for (int i = 0; i < pieces && status == dnnl_success; i++) status = fs_pack_piece(p, i, transposed, weights);
  if (status == dnnl_success) return p;
  fs_unpack(p);
  return 0;
}

void fs_unpack(fs_packed *p) {
  for (int i = 0; i < p->pieces; i++)
    if (p->weights[i]) dnnl_memory_destroy(p->weights[i]);
  if (p->engine) dnnl_engine_destroy(p->engine);
  free(p);
}

// Multiplies x [rows, inputs of the piece].
static dnnl_status_t fs_piece_product(const fs_packed *p, int piece, int rows, const void *x, float *y) {
  const dnnl_memory_desc_t *weights;
  dnnl_primitive_desc_t description = 0;
  dnnl_memory_t mx = 0, my = 0;
  dnnl_status_t status = dnnl_memory_get_memory_desc(p->weights[piece], &weights);
  if (status == dnnl_success) status = fs_describe(p, rows, fs_piece_inputs(p, piece), piece == 0, weights, &description);
  if (status == dnnl_success) {
    const dnnl_memory_desc_t *dx = dnnl_primitive_desc_query_md(description, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *dy = dnnl_primitive_desc_query_md(description, dnnl_query_dst_md, 0);
    status = dnnl_memory_create(&mx, dx, p->engine, (void *)x);
    if (status == dnnl_success) status = dnnl_memory_create(&my, dy, p->engine, y);
    dnnl_exec_arg_t args[3] = {{DNNL_ARG_SRC, mx}, {DNNL_ARG_WEIGHTS, p->weights[piece]}, {DNNL_ARG_DST, my}};
    if (status == dnnl_success) status = fs_execute(p->engine, description, 3, args);
  }
  if (mx) dnnl_memory_destroy(mx);
  if (my) dnnl_memory_destroy(my);
  if (description) dnnl_primitive_desc_destroy(description);
  return status;
}

typedef struct { int rows, inputs, first, count; const float *x; float *out; } fs_cut_job;

enum { fs_cut_rows = 32 };

static void fs_cut_task(void *context, int task) {
  const fs_cut_job *j = context;
  for (long r = (long)task * fs_cut_rows; r < j->rows && r < (task + 1L) * fs_cut_rows; r++)
    memcpy(j->out + r * j->count, j->x + r * j->inputs + j->first, sizeof(float) * (size_t)j->count);
}

int fs_packed_product(const fs_packed *p, int rows, const void *x, float *y, int threads) {
  if (rows == 0) return 0;
  omp_set_num_threads(threads);
  if (p->pieces == 1) return fs_piece_product(p, 0, rows, x, y) != dnnl_success;
  // oneDNN's fast kernels want rows without gaps: a piece of x is copied out first.
  float *part = malloc(sizeof(float) * (size_t)rows * (size_t)p->piece);
  if (!part) return 1;
  dnnl_status_t status = dnnl_success;
  for (int i = 0; i < p->pieces && status == dnnl_success; i++) {
    fs_cut_job job = {rows, p->inputs, i * p->piece, fs_piece_inputs(p, i), x, part};
    fs_parallel((rows + fs_cut_rows - 1) / fs_cut_rows, threads, fs_cut_task, &job);
    status = fs_piece_product(p, i, rows, part, y);
  }
  free(part);
  return status != dnnl_success;
}
