#pragma once

#include <string>
#include <vector>

#include "nn/block.h"
#include "nn/initialise.h"
#include "nn/input_rows.h"
#include "nn/model.h"
#include "nn/positions.h"

namespace attune {

// A block whose rows attend to a memory of the same examples and go through a feed-forward layer,
// each in its residual wiring. Where norms stand in front of sublayers the memory has one, too.
// Attention is the options', which should not go by places. Parameters
// `<path>.{norm1,norm_memory,attention,norm2,mlp}.*`; with layer_scale `<path>.layer_scale{1,2}`.
class CrossBlock {
 public:
  CrossBlock() = default;
  CrossBlock(Registry& r, const std::string& path, const EncoderOptions& options);

  // x [n, d], memory [n_k, d]
  template <class Real>
  Var operator()(const Pass<Real>& pass, Var x, const Pass<Real>& memory_pass, Var memory) const;

 private:
  Residual attend_, feed_;
  MultiHeadAttention attention_;
  Mlp mlp_;
  bool norms_memory_ = false;
  Norm norm_memory_;
};

// model.kind: perceiver (Jaegle et al. 2021). n_latents learned rows read the example's rows by
// cross-attention, and go through n_layers of blocks among themselves; this n_reads times, with
// weights of each reading's own or, with share_reads, the first's. Where data has queries they
// attend to the latents (Perceiver IO: Jaegle et al. 2022) and become logits, one row each; they
// see no other queries. Else logits are linear in the mean of the latents. n rows cost n ·
// n_latents scores a reading instead of n².
//
// Latents and rows have d_model columns. An example without rows leaves latents as they are, but
// for biases. Parameters `token.weight` (`input.*`, `patch.*`), `position.*`, `latents` [n_latents,
// d_model], `read<i>.*` (CrossBlock), `encoder<i>.block<j>.*`, `norm.*`, of queries
// `decoder.token.weight` (`decoder.input.*`), `decoder.position.*`, `decoder.*` (CrossBlock),
// `decoder.norm.*`; `head.*`. Shared readings share their dropout masks, too (Gal and Ghahramani
// 2016).
struct PerceiverOptions : EncoderOptions, PositionSpec, ModelOptions {
  Index n_latents = 16;
  Index n_reads = 1;
  bool share_reads = false;
  Index patch = 16;
  InitOptions init;

  void fields(FieldList& f) override;
  Index patch_side() const override { return patch; }
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

class Perceiver : public ModelOf<Perceiver> {
 public:
  Perceiver(Registry& r, const PerceiverOptions& options, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  struct Reading {
    CrossBlock read;
    Encoder think;
  };
  const PerceiverOptions& options_;
  InputRows embed_, embed_queries_;
  Positions positions_, query_positions_;
  ParameterId latents_;
  std::vector<Reading> readings_;
  CrossBlock answer_;
  bool normed_ = false, has_queries_ = false;
  Norm norm_, answer_norm_;
  Linear head_;
};

}  // namespace attune
