#pragma once

#include "nn/block.h"
#include "nn/initialise.h"
#include "nn/input_rows.h"
#include "nn/model.h"

namespace attune {

// model.kind: bridge, for two sets of rows of different number and width (an image of 49 × 512
// values, a question of 12 × 256) where each row of the second is answered. Both sides are embedded
// to d_model columns and go through n_layers blocks of their own (0 unless set) and a norm. Then
// each query q_i of an example gets beside itself what `bridge` makes of the n rows z_j:
//   cross_attention  MHA(q_i, Z)          (Vaswani et al. 2017, section 3.2.3)
//   pad_concat       z_i, or zeros where i ≥ n
//   pooling          mean_j z_j
//   projection       Σ_j E_ij z_j, E [longest queries, longest rows] learned
// and logits = W₂ gelu(W₁ [q_i, …] + b₁) + b₂, W₁ [d_mlp, 2 d_model].
//
// pad_concat is early fusion by concatenation of features (Baltrušaitis et al. 2019):
// columns can only be put side by side where both have as many rows, for which the shorter side is
// padded with zeros. Rows behind an example's last query are beside no answer. Concatenation of
// rows needs no padding, and is attention's.
//
// Products of an example of n rows and m queries, d = d_model, a multiplication and an addition
// being two, beside those that all have:
//   cross_attention  4 d² (n + m) + 4 n m d      pad_concat 0      pooling n d
//   projection       2 n d · longest queries
// and parameters: 4 d² + 4 d; 0; 0; longest queries · longest rows.
//
// Parameters `input.*`, `decoder.input.*` (of tokens `token.weight`, `decoder.token.weight`),
// `encoder.…`, `decoder.…` (blocks of the queries), `cross_attention.*`, `projection.weight`,
// `hidden.*` (W₁, b₁), `head.*`.
struct BridgeOptions : EncoderOptions, ModelOptions {
  enum class Bridge { cross_attention, pad_concat, pooling, projection };

  Bridge bridge = Bridge::cross_attention;
  InitOptions init;

  BridgeOptions() { n_layers = 0; }
  void fields(FieldList& f) override;
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

class BridgeModel : public ModelOf<BridgeModel> {
 public:
  BridgeModel(Registry& r, const BridgeOptions& options, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  // What stands beside each query: [n queries, d_model].
  template <class Real>
  Var beside(const Pass<Real>& asked, Var queries, const Pass<Real>& pass, Var rows) const;
  template <class Real>
  Var projected(const Pass<Real>& asked, const Pass<Real>& pass, Var rows) const;

  const BridgeOptions& options_;
  InputRows embed_, embed_queries_;
  Encoder encoder_, query_encoder_;
  MultiHeadAttention cross_attention_;
  ParameterId projection_;
  Index longest_query_ = 0;
  Linear hidden_, head_;
};

}  // namespace attune
