#pragma once

#include <span>

#include "autograd/ops.h"
#include "nn/capture.h"
#include "nn/registry.h"

namespace attune {

// One forward pass: where layers find the tape, their parameters and streams, and the rows.
template <class Real>
struct Pass {
  Tape<Real>& tape;
  std::span<const Var> parameters;         // by ParameterId
  std::span<const std::uint64_t> streams;  // keys, by StreamId
  PackedRows rows;                         // the rows that layers see now
  RowCoordinates coordinates;              // of the same rows
  bool training = false;                   // dropout is on
  Index step = 0;                          // of the optimiser; keys the masks
  // Where each row stands, [n] or [n, 2], for attention that rotates queries and keys (RoPE);
  // absent: it doesn't.
  View<const std::int32_t> places = {};
  // Which rows each row sees, rising, by attention of pattern edges.
  PackedEdges edges = {};
  Capture<Real>* capture = nullptr;  // where layers note what they compute, if anyone asks

  Var operator[](ParameterId id) const { return parameters[static_cast<std::size_t>(id.value)]; }
  DropoutOptions dropout(StreamId id, double p) const {
    return {training ? p : 0.0, streams[static_cast<std::size_t>(id.value)], step};
  }
};

// Example and place in its example of each packed row, in the arena.
RowCoordinates coordinates_of(const PackedRows& rows, Arena& arena);

// The same of one row an example.
RowCoordinates coordinates_of_examples(const PackedRows& rows, Arena& arena);

// The row of each example that is its last.
View<const std::int32_t> last_rows(const PackedRows& rows, Arena& arena);

// The same pass when every example has `n` rows instead of its own: learned ones.
template <class Real>
Pass<Real> with_rows_each(const Pass<Real>& pass, Index n);

// The rows of `table` [k, d] for each example of such a pass of k rows: [n_examples · k, d].
template <class Real>
Var repeated(const Pass<Real>& pass, Var table);

// The same pass when every example has got one more row in front, which stands at 0.
template <class Real>
Pass<Real> with_cls_rows(const Pass<Real>& pass);

}  // namespace attune
