#include "nn/perceptron.h"

namespace attune {
namespace {

std::optional<Complaint> misfit_of(const RowSpec& spec) {
  if (const auto asked = reads_no_queries(spec)) return asked;
  if (spec.kind != RowSpec::Kind::tokens) return std::nullopt;
  return Complaint{
      "kind", "reads numbers, and this data are tokens", "set model.kind=encoder or decoder", {}};
}

}  // namespace

void MlpOptions::fields(FieldList& f) {
  f.integers("hidden", hidden, {1, 1 << 16}, Role::result, "units of each hidden layer");
  f.real("dropout", dropout, {0.0, 0.999}, Role::result,
         "share of hidden units dropped in training");
  f.group("init", init, "how weights begin");
}

std::optional<Complaint> MlpOptions::misfit(const RowSpec& spec) const { return misfit_of(spec); }

std::unique_ptr<Model> MlpOptions::make(Registry& r, const RowSpec& spec) const {
  r.set_weights(init.weights(), init.residual(0));
  return std::make_unique<Perceptron>(r, hidden, dropout, spec);
}

void LinearOptions::fields(FieldList& f) { f.group("init", init, "how weights begin"); }

std::optional<Complaint> LinearOptions::misfit(const RowSpec& spec) const {
  return misfit_of(spec);
}

std::unique_ptr<Model> LinearOptions::make(Registry& r, const RowSpec& spec) const {
  r.set_weights(init.weights(), init.residual(0));
  return std::make_unique<Perceptron>(r, std::vector<Index>(), 0.0, spec);
}

Perceptron::Perceptron(Registry& r, const std::vector<Index>& hidden, double dropout,
                       const RowSpec& spec)
    : dropout_(dropout), row_targets_(spec.row_targets) {
  Index width = spec.width;
  for (std::size_t i = 0; i < hidden.size(); ++i) {
    const std::string name = "layer" + std::to_string(i);
    layers_.push_back({Linear(r, name + ".weight", name + ".bias", width, hidden[i]),
                       r.stream(name + ".dropout")});
    width = hidden[i];
  }
  head_ = Linear(r, "head.weight", "head.bias", width, spec.n_classes);
}

template <class Real>
Var Perceptron::forward(const Pass<Real>& pass, const ModelInput& input) const {
  Tape<Real>& t = pass.tape;
  RowCoordinates rows = pass.coordinates;
  if (!row_targets_) rows = coordinates_of_examples(pass.rows, t.arena());
  const auto of_input = [&](const Linear& linear) {
    if (row_targets_) return linear(pass, input.values, input.sparse);
    if (!input.sparse) return linear(pass, mean_pool(t, input.values, pass.rows.offsets));
    // The mean of what the map makes of sparse rows is what it makes of their mean; the bias comes
    // behind it, for an example without rows has it, too.
    return linear.biased(
        pass, mean_pool(t, linear.product(pass, input.values, input.sparse), pass.rows.offsets));
  };
  if (layers_.empty()) return of_input(head_);
  Var x = of_input(layers_.front().linear);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    if (i > 0) x = layers_[i].linear(pass, x);
    x = dropout(t, gelu(t, x), rows, pass.dropout(layers_[i].stream, dropout_));
  }
  return head_(pass, x);
}

template Var Perceptron::forward<float>(const Pass<float>&, const ModelInput&) const;
template Var Perceptron::forward<double>(const Pass<double>&, const ModelInput&) const;

}  // namespace attune
