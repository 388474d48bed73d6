#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "storage/run_content.h"

namespace attune {

// A classifier's outputs over a split, in the split's own order of examples.
struct Scored {
  Index n_classes = 0;
  std::vector<float> logits;           // [n, n_classes]
  std::vector<Index> target;           // [n]
  std::string loss = "cross_entropy";  // train/loss.h
  Index size() const { return static_cast<Index>(target.size()); }
};

// What can be measured of a classifier: loss (train/loss.h), accuracy,
// balanced_accuracy (mean over the classes of the share of a class that is recognised: Brodersen et
// al. 2010), and, for two classes, auc (area under the ROC curve of class 1, ties counted half:
// Hanley & McNeil 1982).
const std::vector<MetricInfo>& classification_metrics();

// By name; accumulates in double, in order. Absent when the split cannot have it:
// balanced_accuracy where a class is missing, auc of other than two classes or where one of them is
// missing; all but loss of logits that are NaN.
std::optional<double> classification_metric(const std::string& name, const Scored& scored);

// How often a class was taken for which, [class][taken for]; of equal logits the first is taken.
// Absent where a logit is NaN: among NaN there is no largest.
using Confusion = std::vector<std::vector<Index>>;
std::optional<Confusion> confusion_of(const Scored& scored);

// The metrics that a split can have, whatever a classifier says of it; none of an empty split.
std::vector<MetricInfo> available_metrics(const Dataset& data, Split split);

// KeyedDataError unless the splits can have the metrics that a config's key asks for ("test/auc";
// those of train are measured batch by batch, and always there). It names the fold, where there is
// one, split, class, and what to try.
void require_metrics(const std::string& key, const std::vector<std::string>& paths,
                     const Dataset& data, std::optional<Index> fold);

}  // namespace attune
