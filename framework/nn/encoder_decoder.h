#pragma once

#include <string>
#include <vector>

#include "nn/block.h"
#include "nn/initialise.h"
#include "nn/input_rows.h"
#include "nn/model.h"
#include "nn/positions.h"

namespace attune {

// The blocks of a decoder: self-attention of its rows, cross-attention to a memory, and a
// feed-forward layer, each in its residual wiring; and the final norm where the placement wants
// one. Parameters `<path>.block<i>.{norm1,attention,norm2,cross_attention,norm3,mlp}.*`,
// `<path>.norm`; with layer_scale `<path>.block<i>.layer_scale{1,2,3}`.
//
// Both attentions are the encoder's but for their pattern, which is full, and causal for rows that
// are decoded; cross-attention has no bias of positions and turns nothing by them, since places of
// two sequences have no distance (Raffel et al. 2020, T5).
class Decoder {
 public:
  Decoder() = default;
  Decoder(Registry& r, const std::string& path, const EncoderOptions& options, Index n_layers,
          bool causal);

  // x [n, d], memory [n_k, d]: rows of the same examples.
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x, const Pass<Real>& memory_pass, Var memory) const;

 private:
  struct Layer {
    Residual attend, cross, feed;
    MultiHeadAttention attention, cross_attention;
    Mlp mlp;
  };
  std::vector<Layer> layers_;
  bool final_norm_ = false;
  Norm norm_;
};

// model.kind: encoder_decoder (Vaswani et al. 2017). Rows go through an encoder, queries through a
// decoder that attends to what comes of them, and become logits, one row each. Queries that are
// decoded see those before them. `decoder.token.weight` and `decoder.position.*` are the queries'
// own; of vectors `input.*` and `decoder.input.*`. With init.depth_scaled each side begins by its
// own number of layers.
struct EncoderDecoderOptions : EncoderOptions, PositionSpec, ModelOptions {
  Index n_decoder_layers = 2;
  InitOptions init;

  void fields(FieldList& f) override;
  const EncoderOptions* encoder() const override { return this; }
  // Those of the encoder; then self- and cross-attention of each decoder block.
  Index n_attentions() const override { return n_layers + 2 * n_decoder_layers; }
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

class EncoderDecoder : public ModelOf<EncoderDecoder> {
 public:
  EncoderDecoder(Registry& r, const EncoderDecoderOptions& options, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  InputRows embed_, embed_queries_;
  Positions positions_, query_positions_;
  Encoder encoder_;
  Decoder decoder_;
  Linear head_;
};

}  // namespace attune
