#include "train/evaluate.h"

#include <algorithm>

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
  for (const ParameterId id : learner.registry().by_name()) {
    const Registry::Parameter& p = learner.registry()[id];
    const auto found = std::find_if(set.tensors.begin(), set.tensors.end(),
                                    [&](const NamedTensor& t) { return t.name == p.name; });
    ATTUNE_CHECK(found != set.tensors.end(), DataError,
                 "{}: /weights has no '{}' {}, which this model needs", where, p.name,
                 p.shape.text());
    ATTUNE_CHECK(found->shape == p.shape, DataError, "{}: /weights/{} has shape {}, not {}", where,
                 p.name, found->shape.text(), p.shape.text());
    std::copy(found->values.begin(), found->values.end(), learner.value(id).begin());
  }
}

}  // namespace attune
