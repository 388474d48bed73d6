#pragma once

#include "tensor/packed.h"

namespace attune::kernels {

// How what a node is sent counts, deg being the number of edges into a node:
//   sum        w_e = 1
//   mean       w_e = 1 / deg_i               constant attention
//   symmetric  w_e = 1 / √(deg_i deg_j), 0 where no edge goes into j   (Kipf and Welling 2017)
enum class GraphReduce { sum, mean, symmetric };

// y_i = Σ_e w_e x_j(e) over the edges e into node i, from nodes j(e).  x, y [n, d]
// Edges need no order, and count as often as they stand. A node's bits depend on what it is sent,
// in the order of its edges: not on the pack nor on threads. Operands that don't fit are a
// ShapeError.
template <class Real>
void graph_aggregate(GraphReduce reduce, const PackedEdges& edges, View<const Real> x,
                     View<Real> y);

// dx_j += Σ_e w_e dy_i(e) over the edges from node j, in the order of the nodes that they go to.
template <class Real>
void graph_aggregate_backward(GraphReduce reduce, const PackedEdges& edges, View<const Real> dy,
                              View<Real> dx);

}  // namespace attune::kernels
