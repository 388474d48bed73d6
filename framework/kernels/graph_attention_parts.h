#pragma once

#include "kernels/graph_attention.h"
#include "kernels/head_lanes.h"
#include "kernels/lanes.h"
#include "kernels/parallel.h"
#include "tensor/arena.h"

// What forward and backward of attention over edges share.
namespace attune::kernels {

// Heads of d columns, and the edges between n nodes.
struct EdgeSizes {
  Index n, m, h, d;
  Index columns() const { return h * d; }
  // The serial time of `ns` for each column of each edge and node.
  double cost(double ns) const { return ns * static_cast<double>((n + m) * columns()); }
};

// The sizes of operands that fit; else a ShapeError.
template <class Real>
EdgeSizes check_edge_attention(const char* kernel, const EdgeAttentionOptions& options,
                               const PackedRows& pack, const PackedEdges& edges,
                               const EdgeOperands<const Real>& x);

// scores [n, h] of each node: att_h · z_ih.
template <class Real>
void node_scores(const EdgeSizes& s, View<const Real> z, View<const Real> att, View<Real> scores);

// x above 0, else slope · x.
template <class Real>
inline Vec<Real> leaky(Vec<Real> x, Vec<Real> slope) {
  return select(x > Vec<Real>(0), x, slope * x);
}
template <class Real>
inline Vec<Real> leaky_slope(Vec<Real> x, Vec<Real> slope) {
  return select(x > Vec<Real>(0), Vec<Real>(1), slope);
}

}  // namespace attune::kernels
