#pragma once

#include "nn/initialise.h"
#include "nn/layers.h"
#include "nn/model.h"

namespace attune {

// model.kind: mlp. Layers of `hidden` gelu units and a head, on the mean of an example's rows, or
// on each row where rows have targets. Parameters `layer<i>.{weight,bias}`, `head.{weight,bias}`.
struct MlpOptions : ModelOptions {
  std::vector<Index> hidden = {64};
  double dropout = 0;
  InitOptions init;

  void fields(FieldList& f) override;
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

// model.kind: linear. The same without hidden layers.
struct LinearOptions : ModelOptions {
  InitOptions init;

  void fields(FieldList& f) override;
  std::optional<Complaint> misfit(const RowSpec& spec) const override;
  std::unique_ptr<Model> make(Registry& r, const RowSpec& spec) const override;
};

class Perceptron : public ModelOf<Perceptron> {
 public:
  Perceptron(Registry& r, const std::vector<Index>& hidden, double dropout, const RowSpec& spec);

  template <class Real>
  Var forward(const Pass<Real>& pass, const ModelInput& input) const;

 private:
  struct Layer {
    Linear linear;
    StreamId stream;
  };
  std::vector<Layer> layers_;
  Linear head_;
  double dropout_;
  bool row_targets_;
};

}  // namespace attune
