#pragma once

#include "tensor/arena.h"
#include "tensor/packed.h"

// Edges of packed graphs made into other edges, in the arena of a step.
namespace attune {

// Every row with exactly one edge from itself, in front of the others, which keep their order:
// loops that stand there already do not count twice (A + I of Kipf & Welling 2017).
PackedEdges with_self_loops(const PackedEdges& edges, Arena& arena);

// Neighbours as a set: each row's are rising and stand once, itself among them if `self`.
PackedEdges neighbour_sets(const PackedEdges& edges, bool self, Arena& arena);

// Edges as rows: edge t, which stands at place t of edges.indices, goes from `source`[t] to
// `target`[t].
struct EdgeRows {
  View<const std::int32_t> source, target;  // [n_edges], rows of the pack
  PackedRows rows;                          // the edges as rows of the same examples
};
EdgeRows edge_rows(const PackedEdges& edges, const PackedRows& rows, Arena& arena);

// The line graph: edge t's neighbours are all edges that share a node with it, t itself among them,
// rising (Buterez et al. 2025, masked self-attention).
PackedEdges line_graph(const PackedEdges& edges, Arena& arena);

}  // namespace attune
