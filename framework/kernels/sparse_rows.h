#pragma once

#include "tensor/arena.h"
#include "tensor/packed.h"

namespace attune::kernels {

// indptr must be [n_rows + 1], rise from 0 to the number of indices and never fall, and indices
// must lie in [0, n_columns); else a ShapeError that names `kernel`, the place and the value.
void check_sparse_rows(const char* kernel, const SparseRows& rows, Index n_rows, Index n_columns);

// The same for edges between n rows of a pack, which besides join rows of one example where the
// pack's offsets are given.
void check_edges(const char* kernel, const PackedEdges& edges, const PackedRows& pack, Index n);

// The entries of each column, in the order in which they stand by rows: what a backward walks
// where the forward walks rows, so that it needs no atomics and has one order of sums.
struct EntriesByColumn {
  View<const std::int32_t> start;  // [n_columns + 1]: column c has places start[c] … start[c + 1]
  View<const std::int32_t> entry;  // [n_entries]
  View<const std::int32_t> row;    // [n_entries], of each of those entries
};

// Of rows that have been checked; the memory is scratch's.
EntriesByColumn by_column(const SparseRows& rows, Index n_columns, Scratch& scratch);

}  // namespace attune::kernels
