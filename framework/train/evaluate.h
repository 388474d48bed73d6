#pragma once

#include <string>

#include "datasets/packer.h"
#include "storage/run_content.h"
#include "train/learner.h"
#include "train/metrics.h"

namespace attune {

// A model's outputs for every example of a split, in the split's own order. `batch` is work space.
// A row's bits depend neither on the rule nor on what else the split holds. Answers that are
// decoded are decoded greedily besides (train/decode.h).
Predictions predict(Learner<float>& learner, const Dataset& data, Split split, BatchRule rule,
                    Batch& batch);

Scored scored(const Predictions& predictions);

// Takes over the parameters. `where` names their file in errors: DataError unless the set holds
// every parameter of the model, in its shape.
void load_weights(const WeightSet& set, const std::string& where, const Learner<float>& learner);

}  // namespace attune
