#pragma once

#include <optional>
#include <string>
#include <vector>

#include "storage/run_content.h"

namespace attune {

// A classifier's outputs over a split, in the split's own order of examples.
struct Scored {
  Index n_classes = 0;
  std::vector<float> logits;  // [n, n_classes]
  std::vector<Index> target;  // [n]
  Index size() const { return static_cast<Index>(target.size()); }
};

// What can be measured of a classifier: loss (mean cross-entropy, nats), accuracy, and, for two
// classes, auc (area under the ROC curve of class 1, ties counted half: Hanley & McNeil 1982).
const std::vector<MetricInfo>& classification_metrics();

// By name; accumulates in double, in order. Absent when the split cannot have it: auc of other
// than two classes, or of a split with one class only; accuracy and auc of logits that are NaN.
std::optional<double> classification_metric(const std::string& name, const Scored& scored);

}  // namespace attune
