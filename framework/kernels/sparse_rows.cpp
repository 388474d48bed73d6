#include "kernels/sparse_rows.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <vector>

#include "kernels/packed_rows.h"

namespace attune::kernels {
namespace {

void check_indptr(const char* kernel, const SparseRows& rows, Index n_rows) {
  const View<const std::int32_t>&indptr = rows.indptr, &indices = rows.indices;
  ATTUNE_CHECK(
      indptr.rank() == 1 && indptr.size() == n_rows + 1, ShapeError,
      "[{}] indptr is {}, but must be [{}]: where each of the {} rows begins, and the end.", kernel,
      indptr.shape().text(), n_rows + 1, n_rows);
  ATTUNE_CHECK(indices.rank() == 1, ShapeError, "[{}] indices is {}, but must be a vector.", kernel,
               indices.shape().text());
  ATTUNE_CHECK(indptr[0] == 0 && indptr[n_rows] == indices.size(), ShapeError,
               "[{}] indptr goes from {} to {}, but must go from 0 to the number of indices, {}.",
               kernel, indptr[0], indptr[n_rows], indices.size());
  const auto* falls = std::adjacent_find(indptr.begin(), indptr.end(), std::greater<>());
  const Index i = falls - indptr.begin();
  ATTUNE_CHECK(falls == indptr.end(), ShapeError,
               "[{}] indptr[{}] is {} and indptr[{}] is {}: indptr must not fall.", kernel, i,
               indptr[i], i + 1, indptr[i + 1]);
}

// Whether all indices of entries [begin, end) lie in [low, high); in vectors, for it is done at
// every call.
bool all_within(const std::int32_t* begin, const std::int32_t* end, Index low, Index high) {
  std::uint32_t largest = 0;
  for (const std::int32_t* p = begin; p != end; ++p) {
    largest = std::max(largest, static_cast<std::uint32_t>(*p) - static_cast<std::uint32_t>(low));
  }
  return begin == end || largest < high - low;
}

}  // namespace

void check_sparse_rows(const char* kernel, const SparseRows& rows, Index n_rows, Index n_columns) {
  check_indptr(kernel, rows, n_rows);
  if (all_within(rows.indices.begin(), rows.indices.end(), 0, n_columns)) return;
  for (Index e = 0; e < rows.n_entries(); ++e) {
    ATTUNE_CHECK(rows.indices[e] >= 0 && rows.indices[e] < n_columns, ShapeError,
                 "[{}] indices[{}] is {}, but must be one of 0 … {}.", kernel, e, rows.indices[e],
                 n_columns - 1);
  }
}

void check_edges(const char* kernel, const PackedEdges& edges, const PackedRows& pack, Index n) {
  if (!pack.offsets) return check_sparse_rows(kernel, edges, n, n);
  check_offsets(kernel, pack.offsets, n);
  check_indptr(kernel, edges, n);
  const std::int32_t* indices = edges.indices.data();
  for (Index x = 0; x < pack.n_examples(); ++x) {
    const Index low = pack.offsets[x], high = pack.offsets[x + 1];
    const Index begin = edges.indptr[low], end = edges.indptr[high];
    if (all_within(indices + begin, indices + end, low, high)) continue;
    for (Index e = begin; e < end; ++e) {
      ATTUNE_CHECK(indices[e] >= low && indices[e] < high, ShapeError,
                   "[{}] indices[{}] is {}, but edges of example {} must come from its own rows, "
                   "{} … {}.",
                   kernel, e, indices[e], x, low, high - 1);
    }
  }
}

namespace {

// The entries of some rows by column, and the rows to know them by.
class RememberedColumns {
 public:
  bool of(const SparseRows& rows, Index n_columns) const {
    return static_cast<Index>(next_.size()) == n_columns + 2 && same(rows.indptr, indptr_) &&
           same(rows.indices, indices_);
  }
  // Memory of what was remembered before is used again.
  void sort(const SparseRows& rows, Index n_columns) {
    indptr_.assign(rows.indptr.begin(), rows.indptr.end());
    indices_.assign(rows.indices.begin(), rows.indices.end());
    entry_.resize(indices_.size());
    row_.resize(indices_.size());
    // A counting sort: next[c + 1] is where column c's next entry goes, so that in the end next[c]
    // is where column c begins.
    next_.assign(static_cast<std::size_t>(n_columns + 2), 0);
    for (const std::int32_t c : indices_) ++next_[static_cast<std::size_t>(c) + 2];
    std::partial_sum(next_.begin(), next_.end(), next_.begin());
    for (Index i = 0; i < rows.n_rows(); ++i) {
      for (std::int32_t e = rows.indptr[i]; e < rows.indptr[i + 1]; ++e) {
        const auto place =
            static_cast<std::size_t>(next_[static_cast<std::size_t>(rows.indices[e]) + 1]++);
        entry_[place] = e;
        row_[place] = static_cast<std::int32_t>(i);
      }
    }
  }
  EntriesByColumn entries() const {
    const auto view = [](const Numbers& v, std::size_t n) {
      return View<const std::int32_t>(v.data(), {static_cast<Index>(n)});
    };
    return {view(next_, next_.size() - 1), view(entry_, entry_.size()), view(row_, row_.size())};
  }

 private:
  using Numbers = std::vector<std::int32_t>;
  static bool same(View<const std::int32_t> a, const Numbers& b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end());
  }

  Numbers indptr_, indices_, next_, entry_, row_;
};

}  // namespace

EntriesByColumn by_column(const SparseRows& rows, Index n_columns) {
  thread_local std::array<RememberedColumns, 4> memory;  // the latest first
  auto found = std::find_if(memory.begin(), memory.end(), [&](const RememberedColumns& columns) {
    return columns.of(rows, n_columns);
  });
  if (found == memory.end()) (--found)->sort(rows, n_columns);
  std::rotate(memory.begin(), found, found + 1);
  return memory.front().entries();
}

}  // namespace attune::kernels
