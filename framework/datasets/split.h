#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/fields.h"
#include "datasets/dataset.h"

namespace attune {

// Which examples are trained on, chosen on and tested on; the keys under `split`.
struct SplitOptions {
  enum class By { group, example };
  enum class Scheme { holdout, given };
  enum class Stratify { label, none };
  By by = By::group;
  Scheme scheme = Scheme::holdout;
  double test = 0.2;  // share of the examples, by holdout
  double val = 0.15;  // share of the training examples
  Stratify stratify = Stratify::label;
  Index seed = 0;  // of the split alone: the run's seed never moves an example
  void fields(FieldList& f);
};

// What a split may look at: columns of the same length; `given` (0 train, 1 val, 2 test) may be
// empty.
struct SplitColumns {
  std::span<const std::int32_t> label, group, given;
};

// Indices of each split's examples, ascending; indexed by Split. Groups stay whole. Hold-out walks
// the groups in an order drawn from the seed and takes each one that brings the part nearer to
// its share of every class (least squares), so that shares are met as nearly as whole groups allow.
// `given` without validation examples takes them from the training groups in the same way.
// DataError when a split that was asked for stays empty, or training lacks a class.
using SplitIndices = std::array<std::vector<Index>, 3>;
SplitIndices split_examples(const SplitColumns& columns, const SplitOptions& options,
                            const std::vector<std::string>& class_names);

}  // namespace attune
