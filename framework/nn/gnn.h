#pragma once

#include <vector>

#include "nn/graph_layer.h"
#include "nn/initialise.h"
#include "nn/input_rows.h"
#include "nn/model.h"

namespace attune {

// model.kind: gnn. Layers of messages along the edges of graphs (nn/graph_layer.h). Where nodes
// have targets each of them is answered, by the last layer itself (head=layer, as Veličković et al.
// 2018 do: output_heads of n_classes columns, averaged) or by a linear map of it (head=linear);
// where graphs have, a linear map answers of the pooled nodes.
// Parameters `input.*` or `token.weight` where d_embed is set, those of the layers, and
// `head.{weight,bias}`.
struct GnnOptions : ModelOptions {
  enum class Head { layer, linear };
  enum class Pool { mean, sum };

  GraphLayerOptions layers;
  Index n_layers = 2;
  std::optional<Index> d_embed;
  Head head = Head::layer;
  Index output_heads = 1;
  Pool pool = Pool::mean;
  InitOptions init;

  void fields(FieldList& f) override;
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

class Gnn : public ModelOf<Gnn> {
 public:
  Gnn(Registry& r, const GnnOptions& options, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  const GnnOptions& options_;
  bool embeds_, answers_by_layer_, row_targets_;
  InputRows embed_;
  std::vector<GraphLayer> layers_;
  Linear head_;
};

}  // namespace attune
