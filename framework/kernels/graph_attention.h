#pragma once

#include "kernels/dropout.h"
#include "tensor/packed.h"

namespace attune::kernels {

// What scores an edge that node j sends to node i: of a head, with its columns of z and att,
//   gat    LeakyReLU(att_src · z_j + att_dst · z_i)     (Veličković et al. 2018, eq. 3)
//   gatv2  att_src · LeakyReLU(z_j + z_dst_i)           (Brody et al. 2022, eq. 7)
enum class EdgeScore { gat, gatv2 };

struct EdgeAttentionOptions {
  Index n_heads = 1;
  EdgeScore score = EdgeScore::gat;
  double slope = 0.2;           // of LeakyReLU at and below 0
  DropoutOptions dropout = {};  // of weights: p, stream, step
};

// The operands, or their gradients; d columns a head.
template <class T>
struct EdgeOperands {
  View<T> z;             // [n, n_heads · d], what nodes send
  View<T> att_src;       // [n_heads, d]
  View<T> att_dst = {};  // [n_heads, d]; gat needs it, gatv2 does not read it
  View<T> z_dst = {};    // [n, n_heads · d], gatv2: what it compares; absent: z
  View<T> bias = {};  // [n_heads · d], added to y; may be absent. Not a gradient: for that there
                      // is linear_backward_bias
};

// Attention over the edges into each node. By head, with M in {0, 1} the mask that attention()
// with pattern edges draws, at (head, row = sender's place in its example, column = receiver's):
//   α_i = softmax of the scores of the edges into i,   y_i = bias + Σ_e M_e α_e z_j(e) / (1 − p̂)
//   weights [m, n_heads] are kept for the backward: α, with its sign turned where it is dropped
//   y [n, n_heads · d]; bias alone for nodes without edges, or with scores of −inf alone
// Edges need no order, and count as often as they stand. `pack` needs offsets and example ids where
// there is dropout; without it both may be absent. A node's bits depend on the nodes that send to
// it and the order of these edges, not on the pack nor on threads. Scores are taken less their
// largest; NaN reaches the nodes that it is sent to. Operands that don't fit are a ShapeError.
template <class Real>
void edge_attention(const EdgeAttentionOptions& options, const PackedRows& pack,
                    const PackedEdges& edges, const EdgeOperands<const Real>& x, View<Real> weights,
                    View<Real> y);

// Adds to those gradients that are there, but writes that of z where it is fresh: where it holds
// nothing yet; att_dst's is left alone by gatv2. With r = 1 / (1 − p̂),
// s the scores before the softmax and u what is below LeakyReLU l:
//   dα_e = r M_e dy_i · z_j,   ds_e = α_e (dα_e − Σ_into i α dα)
//   gat    du_e = l'(u_e) ds_e;  dz_j += r M_e α_e dy_i + du_e att_src,  dz_i += du_e att_dst,
//          datt_src += du_e z_j,  datt_dst += du_e z_i
//   gatv2  du_e = ds_e att_src ∘ l'(u_e);  dz_j += r M_e α_e dy_i + du_e,  dz_dst_i += du_e,
//          datt_src += ds_e l(u_e)
// Senders add their edges in the order of receivers; att's gradients go by chunks of nodes.
template <class Real>
void edge_attention_backward(const EdgeAttentionOptions& options, const PackedRows& pack,
                             const PackedEdges& edges, View<const Real> dy,
                             const EdgeOperands<const Real>& x, View<const Real> weights,
                             const EdgeOperands<Real>& gradients, bool fresh_z = false);

}  // namespace attune::kernels
