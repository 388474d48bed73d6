#include "train/evaluate.h"

#include <algorithm>

#include "base/text.h"

namespace attune {

Predictions predict(Learner<float>& learner, const Dataset& data, Split split, BatchRule rule,
                    Batch& batch) {
  Packer packer(data.n_tokens(split), rule, 0, std::string(name_of(split)));
  const BatchPlan& plan = packer.in_order();
  Predictions p;
  p.n_outputs = data.n_classes();
  for (Index b = 0; b < plan.size(); ++b) {
    batch.assemble(data, split, plan[b]);
    const View<const float> logits = learner.evaluate(batch);
    p.output.insert(p.output.end(), logits.begin(), logits.end());
    p.target.insert(p.target.end(), batch.targets().begin(), batch.targets().end());
    p.example.insert(p.example.end(), batch.rows().example.begin(), batch.rows().example.end());
    p.group.insert(p.group.end(), batch.groups().begin(), batch.groups().end());
  }
  return p;
}

Scored scored(const Predictions& predictions) {
  return {predictions.n_outputs, predictions.output, predictions.target};
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
