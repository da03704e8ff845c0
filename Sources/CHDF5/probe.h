// A dress rehearsal: reads a whole HDF5 file in a forked child, so that a hostile file crashes, hangs or exhausts the child and not us.
//
// Why: libhdf5 trusts many fields of the files that it reads. Mutated files make 1.10.8 divide by zero, abort, loop, or write out of bounds, and no
// check from outside can rule that out. The child touches everything that the reader may touch later (every link, attribute and row), under
// a memory and a time limit, and reports one byte. It also refuses what fedsea-audit never needs and what could reach *other* files: soft
// and external links, external storage, virtual datasets, committed types, filters other than deflate, shuffle and fletcher32.
//
// What it found, in 400 random mutations of each of three files of h5py: 1 to 4 % crash libhdf5 1.10.8 (H5HG_read on a bad heap index of a
// string, the table of attributes of an object header, once a division by zero), and about 1 to 3 % do not end in time. Of 400 mutations of a file
// whose metadata carry checksums, as ours do, none crashed and two did not end in time; but a checksum can be forged.
//
// What remains: the parent then reads the same file with the same library. A file that corrupts memory without a crash in the child may still
// corrupt it here, and so may a file that is exchanged in between. Read files of strangers as you would run their programs: in a sandbox.
//
// Why in C: after fork() in a process with threads, only the forking thread lives on. The child may call libc (glibc makes malloc fork-safe)
// and libhdf5 (the caller holds the lock of this package, so no call was in flight), but not a Swift runtime whose locks may be held.
#ifndef FEDSEA_CHDF5_PROBE_H
#define FEDSEA_CHDF5_PROBE_H

#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shim.h"

enum {
  FEDSEA_PROBE_OK = 0,       // every object was read
  FEDSEA_PROBE_REFUSED = 1,  // `message` says why
  FEDSEA_PROBE_CRASHED = 2,  // libhdf5 died with `signal` (SIGALRM, SIGPROF: it took too long)
  FEDSEA_PROBE_FAILED = 3,   // no child could be started
};

typedef struct {
  int outcome, signal;
  char message[400];
} fedsea_probe_result;

typedef struct {
  uint64_t file_bytes;
  int objects, depth;
  char message[400];
} fedsea_probe_state;

enum { FEDSEA_PROBE_OBJECTS = 4096, FEDSEA_PROBE_DEPTH = 8, FEDSEA_PROBE_ATTRIBUTES = 256 };
#define FEDSEA_PROBE_ATTRIBUTE_BYTES ((uint64_t)64 << 10)
#define FEDSEA_PROBE_CHUNK_BYTES ((uint64_t)64 << 20)
#define FEDSEA_PROBE_SLAB_BYTES ((uint64_t)4 << 20)

static inline int fedsea_probe_refuse(fedsea_probe_state *state, const char *name, const char *why) {
  if (!state->message[0]) snprintf(state->message, sizeof state->message, "%.120s: %.200s", name, why);
  return -1;
}

// Keeps the description of the innermost error, which names the cause.
static inline herr_t fedsea_probe_innermost(unsigned n, const H5E_error2_t *error, void *data) {
  if (n == 0 && error->desc) snprintf((char *)data, 160, "%s", error->desc);
  return 0;
}

static inline int fedsea_probe_library(fedsea_probe_state *state, const char *name) {
  char cause[160] = "unreadable";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, fedsea_probe_innermost, cause);
  return fedsea_probe_refuse(state, name, cause);
}

// The memory type to read `type` with, or -1 if the reader never reads such a type. The caller closes it.
static inline hid_t fedsea_probe_memory_type(hid_t type) {
  switch (H5Tget_class(type)) {
    case H5T_INTEGER: return fedsea_h5_is_standard_integer(type) ? H5Tcopy(H5T_NATIVE_INT64) : -1;
    case H5T_FLOAT: return fedsea_h5_ieee_size(type) ? H5Tcopy(H5T_NATIVE_DOUBLE) : -1;
    case H5T_STRING: return H5Tcopy(type);
    default: return -1;
  }
}

static inline herr_t fedsea_probe_attribute(hid_t object, const char *name, const H5A_info_t *info, void *data) {
  fedsea_probe_state *state = data;
  (void)info;
  hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0) return fedsea_probe_library(state, name);
  hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  int64_t points = H5Sget_simple_extent_npoints(space);
  if (type < 0 || space < 0 || points < 0) return fedsea_probe_library(state, name);
  hid_t memory = fedsea_probe_memory_type(type);
  if (memory >= 0 && points > 0) {
    uint64_t size = H5Tget_size(memory);
    if (size == 0 || (uint64_t)points > FEDSEA_PROBE_ATTRIBUTE_BYTES / size) return fedsea_probe_refuse(state, name, "attribute too large");
    void *buffer = calloc((size_t)points, size);
    if (!buffer || H5Aread(attribute, memory, buffer) < 0) return fedsea_probe_library(state, name);
    if (H5Tis_variable_str(memory) > 0) H5Dvlen_reclaim(memory, space, H5P_DEFAULT, buffer);
    free(buffer);
  }
  if (memory >= 0) H5Tclose(memory);
  H5Tclose(type), H5Sclose(space), H5Aclose(attribute);
  return 0;
}

// Refuses storage that reaches other files or runs other code, and chunks too large to hold.
static inline int fedsea_probe_storage(fedsea_probe_state *state, const char *name, hid_t plist, uint64_t size, int rank, uint64_t *rows,
                                       uint64_t *expansion) {
  H5D_layout_t layout = H5Pget_layout(plist);
  if (layout != H5D_COMPACT && layout != H5D_CONTIGUOUS && layout != H5D_CHUNKED)
    return fedsea_probe_refuse(state, name, "virtual or unknown storage is not accepted");
  if (H5Pget_external_count(plist) != 0) return fedsea_probe_refuse(state, name, "storage in other files is not accepted");
  int filters = H5Pget_nfilters(plist);
  if (filters < 0) return fedsea_probe_library(state, name);
  if (filters > 4) return fedsea_probe_refuse(state, name, "too many filters");
  *expansion = 1, *rows = 1;
  for (int i = 0; i < filters; i++) {
    unsigned flags, config;
    size_t count = 0;
    H5Z_filter_t filter = H5Pget_filter2(plist, (unsigned)i, &flags, &count, NULL, 0, NULL, &config);
    if (filter == H5Z_FILTER_DEFLATE)
      *expansion *= 1040;  // deflate cannot expand more than 1032 times
    else if (filter != H5Z_FILTER_SHUFFLE && filter != H5Z_FILTER_FLETCHER32)
      return fedsea_probe_refuse(state, name, "only the filters deflate, shuffle and fletcher32 are accepted");
  }
  if (*expansion > 1040) return fedsea_probe_refuse(state, name, "deflated twice");
  if (layout == H5D_CHUNKED) {
    hsize_t chunk[2] = {1, 1};
    if (H5Pget_chunk(plist, rank, chunk) != rank) return fedsea_probe_library(state, name);
    uint64_t bytes = size;
    for (int i = 0; i < rank; i++) {
      if (chunk[i] == 0 || bytes > FEDSEA_PROBE_CHUNK_BYTES / chunk[i]) return fedsea_probe_refuse(state, name, "chunks are too large");
      bytes *= chunk[i];
    }
    *rows = chunk[0];
  }
  return 0;
}

static inline int fedsea_probe_rows(fedsea_probe_state *state, const char *name, hid_t dataset, hid_t space, hid_t memory, int rank,
                                    const hsize_t *shape, uint64_t chunk_rows) {
  uint64_t size = H5Tget_size(memory);
  if (size == 0 || shape[1] > FEDSEA_PROBE_CHUNK_BYTES / size) return fedsea_probe_refuse(state, name, "rows are too long");
  uint64_t row = shape[1] * size, step = FEDSEA_PROBE_SLAB_BYTES / row;
  if (step > chunk_rows) step -= step % chunk_rows;
  if (step == 0) step = 1;
  if (step > shape[0]) step = shape[0];
  void *buffer = calloc(step, row);
  if (!buffer) return fedsea_probe_refuse(state, name, "rows are too long");
  for (uint64_t first = 0; first < shape[0]; first += step) {
    hsize_t start[2] = {first, 0}, count[2] = {shape[0] - first < step ? shape[0] - first : step, shape[1]};
    hid_t slab = H5Screate_simple(rank, count, NULL);
    if (slab < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0 ||
        H5Dread(dataset, memory, slab, space, H5P_DEFAULT, buffer) < 0)
      return fedsea_probe_library(state, name);
    if (H5Tis_variable_str(memory) > 0) H5Dvlen_reclaim(memory, slab, H5P_DEFAULT, buffer);
    H5Sclose(slab);
  }
  free(buffer);
  return 0;
}

static inline int fedsea_probe_dataset(fedsea_probe_state *state, const char *name, hid_t dataset) {
  hid_t plist = H5Dget_create_plist(dataset), type = H5Dget_type(dataset), space = H5Dget_space(dataset);
  if (plist < 0 || type < 0 || space < 0) return fedsea_probe_library(state, name);
  int rank = H5Sget_simple_extent_ndims(space);
  if (H5Sis_simple(space) <= 0 || rank < 0) return fedsea_probe_refuse(state, name, "no simple data space");
  uint64_t size = H5Tget_size(type), chunk_rows, expansion;
  if (rank == 1 || rank == 2) {
    if (fedsea_probe_storage(state, name, plist, size, rank, &chunk_rows, &expansion) < 0) return -1;
    hsize_t shape[2] = {0, 1};
    if (H5Sget_simple_extent_dims(space, shape, NULL) != rank) return fedsea_probe_library(state, name);
    uint64_t stored = H5Dget_storage_size(dataset);
    if (stored > state->file_bytes) return fedsea_probe_refuse(state, name, "claims more storage than the file has bytes");
    uint64_t bound = stored * expansion, elements, bytes;
    if (__builtin_mul_overflow(shape[0], shape[1], &elements) || __builtin_mul_overflow(elements, size, &bytes) || bytes > bound)
      return fedsea_probe_refuse(state, name, "has more rows than the file has data for");
    hid_t memory = fedsea_probe_memory_type(type);
    if (memory >= 0) {
      if (bytes > 0 && fedsea_probe_rows(state, name, dataset, space, memory, rank, shape, chunk_rows) < 0) return -1;
      H5Tclose(memory);
    }
  }
  H5Sclose(space), H5Tclose(type), H5Pclose(plist);
  return 0;
}

static inline herr_t fedsea_probe_link(hid_t group, const char *name, const H5L_info_t *info, void *data) {
  fedsea_probe_state *state = data;
  if (info->type != H5L_TYPE_HARD) return fedsea_probe_refuse(state, name, "soft and external links are not accepted");
  if (++state->objects > FEDSEA_PROBE_OBJECTS) return fedsea_probe_refuse(state, name, "too many objects");
  hid_t object = H5Oopen(group, name, H5P_DEFAULT);
  if (object < 0) return fedsea_probe_library(state, name);
  H5O_info_t about;
  if (H5Oget_info2(object, &about, H5O_INFO_BASIC | H5O_INFO_NUM_ATTRS) < 0) return fedsea_probe_library(state, name);
  if (about.num_attrs > FEDSEA_PROBE_ATTRIBUTES) return fedsea_probe_refuse(state, name, "too many attributes");
  if (about.type == H5O_TYPE_DATASET) {
    if (fedsea_probe_dataset(state, name, object) < 0) return -1;
  } else if (about.type != H5O_TYPE_GROUP) {
    return fedsea_probe_refuse(state, name, "neither a group nor a dataset");
  }
  // Attributes after storage: a refusal of the storage is the more telling one.
  if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, fedsea_probe_attribute, state) < 0) return fedsea_probe_library(state, name);
  if (about.type == H5O_TYPE_GROUP) {
    if (++state->depth > FEDSEA_PROBE_DEPTH) return fedsea_probe_refuse(state, name, "groups are nested too deeply");
    if (H5Literate(object, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, fedsea_probe_link, state) < 0) return fedsea_probe_library(state, name);
    state->depth--;
  }
  H5Oclose(object);
  return 0;
}

static inline int fedsea_probe_file(fedsea_probe_state *state, const char *path) {
  hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access < 0 || H5Pset_file_locking(access, 0, 1) < 0) return fedsea_probe_library(state, "file");
  hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
  if (file < 0) return fedsea_probe_library(state, "file");
  hid_t root = H5Oopen(file, "/", H5P_DEFAULT);
  if (root < 0) return fedsea_probe_library(state, "/");
  if (H5Aiterate2(root, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, fedsea_probe_attribute, state) < 0) return fedsea_probe_library(state, "/");
  if (H5Literate(root, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, fedsea_probe_link, state) < 0) return fedsea_probe_library(state, "/");
  if (H5Oclose(root) < 0 || H5Fclose(file) < 0) return fedsea_probe_library(state, "file");
  return 0;
}

// Memory: what the process has mapped now, and 1 GiB. Processor time: 0.4 s, and 1 s for each 10 MB; wall-clock time: ten times that and 20 s.
static inline void fedsea_probe_limit(uint64_t file_bytes) {
  const int fatal[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGALRM, SIGPROF, SIGPIPE, SIGTERM, SIGINT};
  for (unsigned i = 0; i < sizeof fatal / sizeof *fatal; i++) signal(fatal[i], SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  uint64_t seconds = file_bytes / 10000000;
  alarm(seconds > 8000 ? 80000 : (unsigned)(20 + 10 * seconds));
  struct itimerval processor = {{0, 0}, {(time_t)seconds, 400000}};
  setitimer(ITIMER_PROF, &processor, NULL);
  struct rlimit limit = {0, 0};
  setrlimit(RLIMIT_CORE, &limit);
  unsigned long pages = 0;
  FILE *statm = fopen("/proc/self/statm", "r");
  if (statm) {
    if (fscanf(statm, "%lu", &pages) == 1 && getrlimit(RLIMIT_AS, &limit) == 0) {
      rlim_t wanted = (rlim_t)pages * (rlim_t)sysconf(_SC_PAGESIZE) + ((rlim_t)1 << 30);
      if (limit.rlim_max == RLIM_INFINITY || wanted < limit.rlim_max) limit.rlim_cur = limit.rlim_max = wanted;
      setrlimit(RLIMIT_AS, &limit);
    }
    fclose(statm);
  }
  int null = open("/dev/null", O_RDWR);
  if (null >= 0) dup2(null, 1), dup2(null, 2);
}

static inline fedsea_probe_result fedsea_h5_probe(const char *path) {
  fedsea_probe_result result = {FEDSEA_PROBE_FAILED, 0, ""};
  struct stat about;
  int ends[2];
  if (stat(path, &about) != 0 || pipe(ends) != 0) {
    snprintf(result.message, sizeof result.message, "%s", strerror(errno));
    return result;
  }
  for (int i = 0; i < 2; i++) fcntl(ends[i], F_SETFD, FD_CLOEXEC);
  pid_t child = fork();
  if (child < 0) {
    snprintf(result.message, sizeof result.message, "%s", strerror(errno));
    close(ends[0]), close(ends[1]);
    return result;
  }
  if (child == 0) {
    fedsea_probe_state state = {(uint64_t)about.st_size, 0, 0, ""};
    fedsea_probe_limit(state.file_bytes);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Eclear2(H5E_DEFAULT);
    const char *verdict = fedsea_probe_file(&state, path) == 0 ? "+" : state.message[0] ? state.message : "unreadable";
    _exit(write(ends[1], verdict, strlen(verdict)) > 0 ? 0 : 1);  // never exit(): it would flush files that the parent is writing
  }
  close(ends[1]);
  ssize_t got;
  size_t length = 0;
  while (length < sizeof result.message - 1) {
    got = read(ends[0], result.message + length, sizeof result.message - 1 - length);
    if (got > 0) length += (size_t)got;
    if (got == 0 || (got < 0 && errno != EINTR)) break;
  }
  result.message[length] = 0;
  close(ends[0]);
  int status = 0;
  pid_t reaped;
  do reaped = waitpid(child, &status, 0);
  while (reaped < 0 && errno == EINTR);
  result.signal = reaped == child && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.outcome = result.signal || length == 0          ? FEDSEA_PROBE_CRASHED
                   : strcmp(result.message, "+") == 0 ? FEDSEA_PROBE_OK
                                                         : FEDSEA_PROBE_REFUSED;
  return result;
}

#endif
