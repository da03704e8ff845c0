// OpenBLAS (Debian libopenblas-dev): the second engine for matrix products.
// Shim: the declarations that are used are written out, because cblas.h lives in a folder per architecture that no include path names,
// and because its C++-style enums import into Swift as unwieldy types. The values are those of the CBLAS standard.
#pragma once
enum { fs_cblas_row_major = 101, fs_cblas_no_trans = 111, fs_cblas_trans = 112 };
void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, const float *a, int lda, const float *b, int ldb,
                 float beta, float *c, int ldc);
void openblas_set_num_threads(int threads);
int openblas_get_num_threads(void);
char *openblas_get_corename(void);
char *openblas_get_config(void);
// LAPACK, the Fortran interface: every argument by address, matrices by columns, one hidden length per character argument (1, not passed by name).
void dpotrf_(char *uplo, int *n, double *a, int *lda, int *info);
void dpotrs_(char *uplo, int *n, int *nrhs, double *a, int *lda, double *b, int *ldb, int *info);
void dtrtri_(char *uplo, char *diag, int *n, double *a, int *lda, int *info);
