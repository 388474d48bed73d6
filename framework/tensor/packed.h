#pragma once

#include <cstdint>
#include <optional>

#include "tensor/view.h"

namespace attune {

// Rows (tokens) of several examples, one behind the other, without padding.
//   offsets [n_examples + 1]: example e owns rows offsets[e] .. offsets[e+1]-1 (none is legal)
//   example [n_examples]: logical id of each example, the same wherever it is packed (keys dropout
//   masks)
//   grid    [n_examples, 2]: rows and columns of patches of an image; absent for sequences
struct PackedRows {
  View<const std::int32_t> offsets;
  View<const std::int32_t> example;
  View<const std::int32_t> grid;

  Index n_examples() const { return offsets ? offsets.dim(0) - 1 : 0; }
  Index n_rows() const { return offsets && n_examples() >= 0 ? offsets[n_examples()] : 0; }
};

// Compressed sparse rows: row i has the entries indptr[i] … indptr[i + 1] − 1, which stand at
// `indices`.
//   indptr [n + 1], from 0, never falling; indices [indptr[n]]
struct SparseRows {
  View<const std::int32_t> indptr = {}, indices = {};

  Index n_rows() const { return indptr ? indptr.dim(0) - 1 : 0; }
  Index n_entries() const { return indices ? indices.size() : 0; }
  explicit operator bool() const { return bool(indptr); }
};

// Edges between packed rows, the nodes of graphs: row i receives from the rows `indices` of the
// pack, all of its own example, in any order and as often as they stand there.
using PackedEdges = SparseRows;

// What the rows of a dataset are, and what is asked of a model that reads them.
struct RowSpec {
  enum class Kind {
    patches,  // of an image, [width] values, in a grid
    vectors,  // [width] values, in a sequence or set
    tokens,   // one id below `vocabulary`, in a sequence
    sparse,   // [width] values, most of them 0 and not stored
  };
  // Second rows of each example, about which something is asked: a question, or what is decoded.
  struct Queries {
    Kind kind = Kind::tokens;  // tokens or vectors
    Index width = 0;
    Index vocabulary = 0;
    Index longest = 0;  // queries of an example that has most
    // The answers are a sequence, one token after the other: query row t holds answer t − 1, row 0
    // the boundary, which is the last id and, as an answer, ends the sequence.
    bool decoded = false;
  };
  Kind kind = Kind::patches;
  Index width = 0;
  Index vocabulary = 0;
  Index n_classes = 0;         // which a target is one of
  bool row_targets = false;    // every row has a target, or kNoTarget; else every example has one
  Index longest = 0;           // rows of the longest example
  bool targets_ahead = false;  // a row's target stands in the row behind it
  bool edges = false;          // rows are nodes of graphs
  // Where there are queries, each of them has a target, and row_targets is false.
  std::optional<Queries> queries = {};

  bool one_target() const { return !row_targets && !queries; }  // an example
};

// The target of a row that does not count.
inline constexpr std::int32_t kNoTarget = -100;

}  // namespace attune
