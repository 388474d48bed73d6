#pragma once

#include <string>

#include "nn/layers.h"
#include "nn/model.h"

namespace attune {

// What all layers of a graph network share. A layer turns the rows x_j of a node's neighbours,
// which send along the edges into it, and its own into its new row:
//   gat       Σ_j α_ij W x_j + b, α_ij = softmax_j LeakyReLU(a_s·W x_j + a_d·W x_i), by head
//             (Veličković et al. 2018)
//   gatv2     the same with α_ij = softmax_j a_s·LeakyReLU(W x_j + W' x_i)   (Brody et al. 2022)
//   constant  the same with α_ij the same for all neighbours: what attention adds is left out
//   gcn       Σ_j W x_j / √(n_i n_j) + b, n_i the number of neighbours       (Kipf & Welling 2017)
//   gin       an mlp of s x_i + Σ_j x_j, s learned, 1 at first               (Xu et al. 2019)
struct GraphLayerOptions {
  enum class Kind { gat, gatv2, constant, gcn, gin };
  enum class Activation { elu, relu };

  Kind kind = Kind::gat;
  Index n_heads = 8;
  Index d_head = 8;  // a hidden layer has n_heads · d_head columns, of whatever kind it is
  double slope = 0.2;
  bool self_loops = true;
  Activation activation = Activation::elu;
  double dropout = 0;
  double attention_dropout = 0;
  bool norm = false;

  void fields(FieldList& f);
  Index width() const { return n_heads * d_head; }
};

// Rows of values, dense or sparse (ModelInput).
struct Features {
  Var values;
  SparseRows sparse = {};
};

// Layer i. Parameters of gat, gatv2 and constant, which begin alike so that they are paired:
// `gat<i>.{weight,att_src,att_dst,bias}`, gatv2 with weight_dst (W') instead of att_dst, constant
// with neither att; `gcn<i>.{weight,bias}`; `gin<i>.{self,w1,b1,w2,b2}`; with norm
// `<kind><i>.norm.{gain,bias}` of what leaves a hidden layer.
class GraphLayer {
 public:
  // A hidden layer has options.width() columns, and its activation; else it has n_heads of `d`
  // columns, averaged.
  GraphLayer(Registry& r, Index i, const GraphLayerOptions& options, Index d_in);
  GraphLayer(Registry& r, Index i, const GraphLayerOptions& options, Index d_in, Index n_heads,
             Index d);

  // `edges` with the self-loops that the kind wants (loops()).
  template <class Real>
  Var operator()(const Pass<Real>& pass, const Features& x, const PackedEdges& edges) const;

  // Whether each node is to be its own neighbour.
  static bool loops(const GraphLayerOptions& options) {
    return options.self_loops && options.kind != GraphLayerOptions::Kind::gin;
  }

 private:
  using Kind = GraphLayerOptions::Kind;
  GraphLayer(Registry& r, Index i, const GraphLayerOptions& options, Index d_in, Index n_heads,
             Index d, bool hidden);
  template <class Real>
  Var messages(const Pass<Real>& pass, const Features& x, const PackedEdges& edges) const;
  template <class Real>
  Var attended(const Pass<Real>& pass, const Features& x, const PackedEdges& edges) const;

  const GraphLayerOptions* options_;
  Index n_heads_;
  bool hidden_;
  ParameterId weight_, weight_dst_, att_src_, att_dst_, bias_, self_;
  Linear second_;
  Norm norm_;
  StreamId features_, attention_;
};

}  // namespace attune
