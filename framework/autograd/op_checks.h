#pragma once

#include "autograd/op.h"
#include "kernels/packed_rows.h"

// What shape rules share: operands named as the op's record names them.
namespace attune {

// The shape of input i, which must have this rank.
template <class Real>
Shape rank_of(const OpCall<Real>& c, const Op& op, std::size_t i, int rank) {
  const Shape& shape = c.in[i].shape();
  ATTUNE_CHECK(shape.rank() == rank, ShapeError, "[{}] {} must be {}, and has shape {}", op.name,
               op.inputs[i].name, op.inputs[i].shape, shape.text());
  return shape;
}

template <class Real>
void same_shape(const OpCall<Real>& c, const Op& op, std::size_t i, const Shape& wanted) {
  ATTUNE_CHECK(c.in[i].shape() == wanted, ShapeError, "[{}] {} {} must be {} here, and is {}",
               op.name, op.inputs[i].name, op.inputs[i].shape, wanted.text(),
               c.in[i].shape().text());
}

// The length of index array i, a vector.
template <class Real>
Index index_size(const OpCall<Real>& c, const Op& op, std::size_t i) {
  ATTUNE_CHECK(c.index[i].rank() == 1, ShapeError, "[{}] {} must be {}, and has shape {}", op.name,
               op.indices[i].name, op.indices[i].shape, c.index[i].shape().text());
  return c.index[i].dim(0);
}

// Offsets of B examples over n rows: B + 1 numbers that rise from 0 to n. Gives B.
template <class Real>
Index check_offsets(const OpCall<Real>& c, const Op& op, std::size_t i, Index n) {
  const Index size = index_size(c, op, i);
  kernels::check_offsets(op.name.data(), c.index[i], n);
  return size - 1;
}

}  // namespace attune
