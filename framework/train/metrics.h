#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datasets/dataset.h"
#include "storage/run_content.h"

namespace attune {

// How a greedily decoded answer (train/decode.h) compares with the wanted one.
struct DecodedAnswer {
  Index length = 0;  // of the wanted answer, without its end
  Index right = 0;   // places of the wanted answer, its end among them, where both have the same
  Index edits = 0;   // edit distance of the two, without their ends
  bool exact() const { return right == length + 1 && edits == 0; }
};

// A classifier's outputs over a split, in the split's own order of examples.
struct Scored {
  Index n_classes = 0;
  std::vector<float> logits;           // [n, n_classes]
  std::vector<Index> target;           // [n]
  std::string loss = "cross_entropy";  // train/loss.h
  std::vector<Index> answer_of = {};   // [n], an index into `answers`; empty where there are none
  std::vector<DecodedAnswer> answers = {};
  Index size() const { return static_cast<Index>(target.size()); }
};

// What can be measured of a classifier: loss (train/loss.h), accuracy,
// balanced_accuracy (mean over the classes of the share of a class that is recognised: Brodersen et
// al. 2010), and, for two classes, auc (area under the ROC curve of class 1, ties counted half:
// Hanley & McNeil 1982). Of answers that are decoded, where loss and accuracy are those of the next
// token after the wanted ones, there are besides, of the greedily decoded answers,
//   token_accuracy       share of the wanted tokens, the end of an answer among them, that stand at
//                        the same place of the decoded one
//   sequence_accuracy    share of the answers that are right from begin to end
//   token_error_rate     edits that make the decoded answers the wanted ones, over the tokens of
//                        these; without ends, and 1 at most only where answers are not too long
//   sequence_error_rate  1 − sequence_accuracy: of pronunciations the word error rate
const std::vector<MetricInfo>& classification_metrics();

// Whether a metric is one of decoded answers, to which the logits are nothing.
bool is_of_answers(const std::string& metric);

// By name; accumulates in double, in order. Absent when the split cannot have it:
// balanced_accuracy where a class is missing, auc of other than two classes or where one of them is
// missing, both where rows have targets; those of answers where none are decoded; all but loss of
// logits that are NaN.
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
