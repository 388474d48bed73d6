#include "datasets/dataset.h"

#include <algorithm>

namespace attune {

std::string_view name_of(Split split) {
  switch (split) {
    case Split::train:
      return "train";
    case Split::val:
      return "val";
    case Split::test:
      return "test";
  }
  return "?";
}

const std::vector<std::string>& Dataset::token_names() const {
  static const std::vector<std::string> none;
  return none;
}

std::vector<Index> Dataset::n_tokens(Split split) const {
  const Index n = n_examples(split);
  std::vector<Index> lengths;
  lengths.reserve(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) lengths.push_back(example(split, i).n_tokens());
  return lengths;
}

RowSpec Dataset::spec() const {
  RowSpec spec{row_kind(), width(), vocabulary(), n_classes(), row_targets(), 0, targets_ahead()};
  for (const Split split : kSplits)
    for (const Index n : n_tokens(split)) spec.longest = std::max(spec.longest, n);
  return spec;
}

}  // namespace attune
