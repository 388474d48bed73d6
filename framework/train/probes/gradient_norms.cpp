#include "train/probes/gradient_norms.h"

#include <cmath>

#include "kernels/optimiser.h"

namespace attune {
namespace {

const std::string kBlock = "encoder.block";

// "encoder.block12.mlp.w1" → 12; −1 outside the blocks.
Index block_of(const std::string& name) {
  return name.starts_with(kBlock) ? std::stoll(name.substr(kBlock.size())) : -1;
}

class GradientNorms : public Probe {
 public:
  GradientNorms(const GradientNormsOptions& options, const ProbeSubject& subject)
      : options_(options), subject_(subject) {}

  ProbeTable table() const override {
    ProbeTable table = options_.info().table();
    table.dimensions[1].numbers = counted(subject_.model.encoder()->n_layers);
    return table;
  }

  Row at_gradient(Index step) override {
    if (!options_.due(step, *subject_.steps - 1)) return {};
    const Registry& registry = subject_.learner.registry();
    const auto n = static_cast<std::size_t>(subject_.model.encoder()->n_layers);
    std::vector<double> squares(3 * n, 0.0);
    for (const ParameterId id : registry.by_name()) {
      const std::string& name = registry[id].name;
      if (block_of(name) < 0) continue;
      const auto block = static_cast<std::size_t>(block_of(name));
      const double s = kernels::squared_norm<float>(subject_.learner.grad(id));
      squares[block] += s;
      if (name.find(".attention.") != std::string::npos) squares[n + block] += s;
      if (name.find(".mlp.") != std::string::npos) squares[2 * n + block] += s;
    }
    for (double& s : squares) s = std::sqrt(s);
    return squares;
  }

 private:
  GradientNormsOptions options_;
  ProbeSubject subject_;
};

}  // namespace

const ProbeInfo& GradientNormsOptions::info() const {
  static const ProbeInfo info{
      "gradient_norms",
      "L2 norms of the gradient by residual block, before clipping",
      {"step", "layer"},
      {{"block", "1", "L2 norm of the gradient of a block's parameters"},
       {"attention", "1", "the same over its attention"},
       {"mlp", "1", "the same over its feed-forward layer"}},
      "gradient of the training batch at the parameters after `step` updates, before clipping"};
  return info;
}

std::unique_ptr<Probe> GradientNormsOptions::make(const ProbeSubject& subject) const {
  return std::make_unique<GradientNorms>(*this, subject);
}

}  // namespace attune
