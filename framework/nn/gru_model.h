#pragma once

#include <vector>

#include "nn/gru.h"
#include "nn/initialise.h"
#include "nn/input_rows.h"
#include "nn/model.h"

namespace attune {

// What a decoder knows of the rows, beside the states that it begins with.
enum class GruBridge { fixed, attention };

// model.kind: gru. An encoder of gated recurrent units reads the rows, a decoder of such units puts
// out a sequence, one token after the other. The decoder begins, layer by layer, with
//   s_0 = tanh(W c + b)      c the encoder's states behind its last row (Cho et al. 2014)
// and reads the token before. With `bridge: fixed` that is all it gets (Sutskever et al. 2014), and
// logits are linear in the state of its last layer. With `bridge: attention` (Bahdanau et al. 2015,
// appendix A.1.2) step t also reads, beside the token's embedding, the context
//   c_t = Σ_j α_tj h_j       α_t = softmax_j w · tanh(W_q s_{t−1} + W_k h_j)
// of the encoder's states h_j by its last layer's state before, of d_hidden units; logits are
// linear in state and context side by side. Without rows c and c_t are 0.
//
// Parameters `token.weight` (of vectors `input.*`), `gru<i>.*`, `gru<i>.reverse.*`, `bridge<i>.*`
// (W and b of layer i), `decoder.token.weight`, `decoder.gru<i>.*`, `decoder.attention.{wq,wk,w}`,
// `head.*`. Dropout is that of embeddings, on both sides.
struct GruModelOptions : ModelOptions {
  Index d_embed = 64;
  Index d_hidden = 64;
  Index n_layers = 1;
  bool bidirectional = false;
  GruBridge bridge = GruBridge::fixed;
  double dropout = 0.0;
  InitOptions init;

  void fields(FieldList& f) override;
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

class GruModel : public ModelOf<GruModel> {
 public:
  GruModel(Registry& r, const GruModelOptions& options, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  // The states of each query's step, with contexts beside them where there is attention.
  template <class Real>
  Var decode(const Pass<Real>& pass, Var x, View<Var> states) const;
  template <class Real>
  Var decode_attending(const Pass<Real>& pass, Var x, View<Var> states,
                       const PackedRows& memory_rows, Var memory) const;

  const GruModelOptions& options_;
  InputRows embed_, embed_queries_;
  StreamId dropout_, query_dropout_;
  GruEncoder encoder_;
  std::vector<Linear> begin_;
  std::vector<Gru> decoder_;
  ParameterId wq_, wk_, w_;
  Linear head_;
};

}  // namespace attune
