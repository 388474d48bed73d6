#include "train/evaluate.h"

#include <algorithm>

#include "base/text.h"

namespace attune {

namespace {

// The rows or queries of the batch that have a target, or its examples.
void add(const Batch& batch, View<const float> logits, bool one_target, Predictions& p) {
  const PackedRows rows = batch.target_rows();
  const auto entry = [&](Index e, Index row) {
    const float* z = logits.row(row);
    p.output.insert(p.output.end(), z, z + p.n_outputs);
    p.target.push_back(batch.targets()[row]);
    p.example.push_back(rows.example[e]);
    p.group.push_back(batch.groups()[static_cast<std::size_t>(e)]);
  };
  for (Index e = 0; e < batch.n_examples(); ++e) {
    if (one_target) entry(e, e);
    for (Index row = rows.offsets[e]; !one_target && row < rows.offsets[e + 1]; ++row) {
      if (batch.targets()[row] == kNoTarget) continue;
      entry(e, row);
      p.position.push_back(row - rows.offsets[e]);
    }
  }
}

}  // namespace

Predictions predict(Learner<float>& learner, const Dataset& data, Split split, BatchRule rule,
                    Batch& batch) {
  Packer packer(data.lengths(split), rule, 0, std::string(name_of(split)));
  const BatchPlan& plan = packer.in_order();
  Predictions p;
  p.n_outputs = data.n_classes();
  p.loss = learner.loss().name();
  for (Index b = 0; b < plan.size(); ++b) {
    batch.assemble(data, split, plan[b]);
    add(batch, learner.evaluate(batch), data.one_target(), p);
  }
  return p;
}

Scored scored(const Predictions& predictions) {
  return {predictions.n_outputs, predictions.output, predictions.target, predictions.loss};
}

void load_weights(const WeightSet& set, const std::string& where, const Learner<float>& learner) {
  std::vector<std::string> wrong;
  for (const ParameterId id : learner.registry().by_name()) {
    const Registry::Parameter& p = learner.registry()[id];
    const auto found = std::find_if(set.tensors.begin(), set.tensors.end(),
                                    [&](const NamedTensor& t) { return t.name == p.name; });
    if (found == set.tensors.end()) {
      wrong.push_back(fmt::format("has no '{}' {}", p.name, p.shape.text()));
    } else if (found->shape != p.shape) {
      wrong.push_back(
          fmt::format("'{}' has shape {}, not {}", p.name, found->shape.text(), p.shape.text()));
    } else {
      std::copy(found->values.begin(), found->values.end(), learner.value(id).begin());
    }
  }
  ATTUNE_CHECK(wrong.empty(), DataError, "{}: its /weights are not what this model needs: {}",
               where, join(wrong, "; "));
}

}  // namespace attune
