// What Swift cannot import from hdf5.h: macros with a cast, a call or a comma operator. One shim per macro, nothing else.
#ifndef FEDSEA_CHDF5_SHIM_H
#define FEDSEA_CHDF5_SHIM_H

#include <hdf5.h>

// H5P_*, H5S_* and H5E_DEFAULT are casts or `(H5OPEN variable)`: property classes exist only after H5open(), which the macro calls.
static inline hid_t fedsea_h5_default(void) { return H5P_DEFAULT; }
static inline hid_t fedsea_h5_error_stack(void) { return H5E_DEFAULT; }
static inline hid_t fedsea_h5_file_access_class(void) { return H5P_FILE_ACCESS; }
static inline hid_t fedsea_h5_dataset_create_class(void) { return H5P_DATASET_CREATE; }
static inline hid_t fedsea_h5_file_create_class(void) { return H5P_FILE_CREATE; }
static inline hid_t fedsea_h5_group_create_class(void) { return H5P_GROUP_CREATE; }
static inline hid_t fedsea_h5_all(void) { return H5S_ALL; }
static inline hsize_t fedsea_h5_unlimited(void) { return H5S_UNLIMITED; }
static inline size_t fedsea_h5_variable(void) { return H5T_VARIABLE; }

// H5F_ACC_* are `(H5CHECK H5OPEN 0x…u)`: a comma operator.
static inline unsigned fedsea_h5_read_only(void) { return H5F_ACC_RDONLY; }
static inline unsigned fedsea_h5_exclusive(void) { return H5F_ACC_EXCL; }

// H5T_* are `(H5OPEN H5T_…_g)`: variables that H5open() fills.
static inline hid_t fedsea_h5_f32(void) { return H5T_IEEE_F32LE; }
static inline hid_t fedsea_h5_f64(void) { return H5T_IEEE_F64LE; }
static inline hid_t fedsea_h5_i32(void) { return H5T_STD_I32LE; }
static inline hid_t fedsea_h5_i64(void) { return H5T_STD_I64LE; }
static inline hid_t fedsea_h5_c_string(void) { return H5T_C_S1; }

// True if `type` is one of the standard little- or big-endian integers of 1 to 8 bytes: HDF5 also allows odd offsets, precisions and
// paddings, whose conversion paths nobody needs.
static inline int fedsea_h5_is_standard_integer(hid_t type) {
  const hid_t known[] = {H5T_STD_I8LE,  H5T_STD_I16LE, H5T_STD_I32LE, H5T_STD_I64LE, H5T_STD_U8LE,  H5T_STD_U16LE,
                         H5T_STD_U32LE, H5T_STD_U64LE, H5T_STD_I8BE,  H5T_STD_I16BE, H5T_STD_I32BE, H5T_STD_I64BE,
                         H5T_STD_U8BE,  H5T_STD_U16BE, H5T_STD_U32BE, H5T_STD_U64BE};
  for (unsigned i = 0; i < sizeof known / sizeof *known; i++)
    if (H5Tequal(type, known[i]) > 0) return 1;
  return 0;
}

// An anonymous file in memory; memfd_create is declared only under _GNU_SOURCE, which Swift's importer does not set.
extern int memfd_create(const char *name, unsigned flags);
static inline int fedsea_memory_file(void) { return memfd_create("discarded", 1 /* MFD_CLOEXEC */); }

// IEEE 754 binary16, which HDF5 1.10 has no name for: 1 sign, 5 exponent, 10 fraction bits, bias 15. The caller closes it.
static inline hid_t fedsea_h5_make_f16(void) {
  hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  if (type < 0 || H5Tset_fields(type, 15, 10, 5, 0, 10) < 0 || H5Tset_size(type, 2) < 0 || H5Tset_ebias(type, 15) < 0) return -1;
  return type;
}

// Size in bytes if `type` is IEEE binary16, 32 or 64 in either byte order, else 0.
static inline size_t fedsea_h5_ieee_size(hid_t type) {
  if (H5Tequal(type, H5T_IEEE_F32LE) > 0 || H5Tequal(type, H5T_IEEE_F32BE) > 0) return 4;
  if (H5Tequal(type, H5T_IEEE_F64LE) > 0 || H5Tequal(type, H5T_IEEE_F64BE) > 0) return 8;
  hid_t half = fedsea_h5_make_f16();
  int equal = half >= 0 && H5Tequal(type, half) > 0;
  if (!equal && half >= 0 && H5Tset_order(half, H5T_ORDER_BE) >= 0) equal = H5Tequal(type, half) > 0;
  if (half >= 0) H5Tclose(half);
  return equal ? 2 : 0;
}

#endif
