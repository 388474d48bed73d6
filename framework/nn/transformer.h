#pragma once

#include "nn/block.h"
#include "nn/initialise.h"
#include "nn/input_rows.h"
#include "nn/model.h"
#include "nn/positions.h"
#include "nn/set_pooling.h"

namespace attune {

enum class Pool { mean, cls, attention, last, pma };

// What all transformers have: rows are embedded, get positions, go through the encoder, and become
// logits, row by row where rows have targets, else one row an example by `pool`.
struct TransformerOptions : EncoderOptions, PositionSpec, ModelOptions {
  Pool pool = Pool::mean;
  bool tie_embedding = false;
  InitOptions init;

  void fields(FieldList& f) override;
  const EncoderOptions* encoder() const override { return this; }
  Index rows_in_front(const RowSpec& spec) const override {
    return pool == Pool::cls && !spec.row_targets ? 1 : 0;
  }
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

// model.kind: vit. Dosovitskiy et al. 2021, over packed images of any size (NaViT, Dehghani et al.
// 2023): position tables are read by interpolation where a grid is larger than they are.
struct VitOptions : TransformerOptions {
  Index patch = 16;

  VitOptions();
  void fields(FieldList& f) override;
  Index patch_side() const override { return patch; }
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
};

// model.kind: encoder. Devlin et al. 2019.
struct EncoderModelOptions : TransformerOptions {};

// model.kind: decoder. Radford et al. 2018: causal, read at its last row.
struct DecoderOptions : TransformerOptions {
  DecoderOptions();
};

class Transformer : public ModelOf<Transformer> {
 public:
  Transformer(Registry& r, const TransformerOptions& options, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  template <class Real>
  Var pooled(const Pass<Real>& pass, Var x) const;
  template <class Real>
  Var head(const Pass<Real>& pass, Var x) const;

  const TransformerOptions& options_;
  RowSpec spec_;
  InputRows embed_;
  Linear pool_score_, head_;
  ParameterId cls_;
  Positions positions_;
  Encoder encoder_;
  AttentionPooling pma_;
};

}  // namespace attune
