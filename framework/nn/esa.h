#pragma once

#include <string>

#include "nn/block.h"
#include "nn/initialise.h"
#include "nn/input_rows.h"
#include "nn/model.h"
#include "nn/set_pooling.h"

namespace attune {

// model.kind: esa. Attention over a graph as a set (Buterez et al. 2025): of its edges (ESA), where
// an edge's row is a linear map of its two nodes' features, or of its nodes. `layers` has a letter
// for each layer, such as MMSP:
//   M  a block whose rows see those that share a node with them (of nodes: those that send to
//      them), and themselves
//   S  a block whose rows see every row of the graph; behind P every seed
//   P  pooling by attention of n_seeds learned rows (nn/set_pooling.h), once, where graphs have
//      targets; the mean of what the seeds become is what a linear map answers of
// Of a graph without edges there are no rows, and P gives what it gives of an empty set.
// Parameters `source.*`, `target.*` of an edge's ends, or `input.*`, `token.weight` of nodes, then
// `encoder.…`, `pool.…`, `seeds.block<i>.…` behind P, `head.{weight,bias}`.
struct EsaOptions : EncoderOptions, ModelOptions {
  enum class Tokens { edges, nodes };

  std::string layers = "MMSP";
  Tokens tokens = Tokens::edges;
  Index n_seeds = 1;
  InitOptions init;

  void fields(FieldList& f) override;
  const EncoderOptions* encoder() const override { return this; }
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;

  bool pools() const { return layers.find('P') != std::string::npos; }
};

class Esa : public ModelOf<Esa> {
 public:
  Esa(Registry& r, const EsaOptions& options, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  const EsaOptions& options_;
  InputRows source_, target_, node_;
  Encoder encoder_, seeds_;
  AttentionPooling pool_;
  Linear head_;
};

}  // namespace attune
