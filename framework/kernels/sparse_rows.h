#pragma once

#include <algorithm>
#include <cstdint>

#include "tensor/packed.h"

namespace attune::kernels {

// indptr must be [n_rows + 1], rise from 0 to the number of indices and never fall, and indices
// must lie in [0, n_columns); else a ShapeError that names `kernel`, the place and the value.
void check_sparse_rows(const char* kernel, const SparseRows& rows, Index n_rows, Index n_columns);

// The same for edges between n rows of a pack, which besides join rows of one example where the
// pack's offsets are given.
void check_edges(const char* kernel, const PackedEdges& edges, const PackedRows& pack, Index n);

// f(i) for the rows [begin, end), those of few entries first, 64 at a time: neighbours in that
// order have equally many, so that the processor foresees where their loops end.
template <class F>
inline void for_rows_by_length(const std::int32_t* indptr, Index begin, Index end, const F& f) {
  constexpr Index kRows = 64, kLongest = 62;
  const auto length = [&](Index i) { return std::min<Index>(indptr[i + 1] - indptr[i], kLongest); };
  for (Index block = begin; block < end; block += kRows) {
    const Index n = std::min(kRows, end - block);
    std::uint8_t next[kLongest + 2] = {}, order[kRows];  // next[l + 1]: the place of length l
    for (Index r = 0; r < n; ++r) ++next[length(block + r) + 1];
    for (Index l = 1; l <= kLongest; ++l)
      next[l] = static_cast<std::uint8_t>(next[l] + next[l - 1]);
    for (Index r = 0; r < n; ++r) order[next[length(block + r)]++] = static_cast<std::uint8_t>(r);
    for (Index r = 0; r < n; ++r) f(block + order[r]);
  }
}

// The entries of each column, in the order in which they stand by rows: what a backward walks
// where the forward walks rows, so that it needs no atomics and has one order of sums.
struct EntriesByColumn {
  View<const std::int32_t> start;  // [n_columns + 1]: column c has places start[c] … start[c + 1]
  View<const std::int32_t> entry;  // [n_entries]
  View<const std::int32_t> row;    // [n_entries], of each of those entries
};

// Of rows that have been checked. The last few that a thread asked for are remembered, because
// the graph of a training is often the same at every step: what is given stays until this thread
// has asked for four others.
EntriesByColumn by_column(const SparseRows& rows, Index n_columns);

}  // namespace attune::kernels
