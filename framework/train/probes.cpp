#include "train/probes.h"

#include <algorithm>
#include <cmath>

#include "kernels/optimiser.h"

namespace attune {
namespace {

const std::string kBlock = "encoder.block";

// "encoder.block12.mlp.w1" → 12; −1 outside the blocks.
Index block_of(const std::string& name) {
  return name.starts_with(kBlock) ? std::stoll(name.substr(kBlock.size())) : -1;
}

Index n_blocks(const Registry& registry) {
  Index n = 0;
  for (const auto& p : registry.parameters()) n = std::max(n, block_of(p.name) + 1);
  return n;
}

}  // namespace

void GradientNormsOptions::fields(FieldList& f) {
  f.integer("every", every, {1, 1e9}, Role::result, "steps from one measurement to the next");
}

void ProbesOptions::fields(FieldList& f) {
  f.optional_group("gradient_norms", gradient_norms,
                   "norm of the gradient by residual block, before clipping");
}

const std::vector<Listed>& listed_probes() {
  static const std::vector<Listed> probes = {
      {"gradient_norms",
       "L2 norm of the gradient before clipping [step, layer]: block, attention, mlp"}};
  return probes;
}

ProbeTable gradient_norms_table(const Registry& registry) {
  ProbeTable table;
  table.name = "gradient_norms";
  table.dimensions = {{"step", {}, {}}, {"layer", {}, {}}};
  for (Index i = 0; i < n_blocks(registry); ++i) table.dimensions[1].numbers.push_back(i);
  table.quantities = {{"block", "1", "L2 norm of the gradient of a block's parameters", {}},
                      {"attention", "1", "the same over its attention", {}},
                      {"mlp", "1", "the same over its feed-forward layer", {}}};
  return table;
}

std::vector<double> gradient_norms(const Registry& registry, const ParameterBlock<float>& grads) {
  const auto n = static_cast<std::size_t>(n_blocks(registry));
  std::vector<double> squares(3 * n, 0.0);
  for (const ParameterId id : registry.by_name()) {
    const std::string& name = registry[id].name;
    const Index block = block_of(name);
    if (block < 0) continue;
    const double s = kernels::squared_norm<float>(grads[id]);
    const auto b = static_cast<std::size_t>(block);
    squares[b] += s;
    if (name.find(".attention.") != std::string::npos) squares[n + b] += s;
    if (name.find(".mlp.") != std::string::npos) squares[2 * n + b] += s;
  }
  for (double& s : squares) s = std::sqrt(s);
  return squares;
}

}  // namespace attune
