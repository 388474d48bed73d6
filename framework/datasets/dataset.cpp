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

std::vector<Index> Dataset::lengths(Split split) const {
  const Index n = n_examples(split);
  std::vector<Index> rows;
  rows.reserve(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) {
    const Example e = example(split, i);
    rows.push_back(e.n_tokens() + e.n_queries);
  }
  return rows;
}

RowSpec Dataset::spec() const {
  RowSpec spec{.kind = row_kind(),
               .width = width(),
               .vocabulary = vocabulary(),
               .n_classes = n_classes(),
               .row_targets = row_targets(),
               .targets_ahead = targets_ahead(),
               .edges = graphs() != nullptr,
               .queries = queries()};
  for (const Split split : kSplits) {
    for (Index i = 0; i < n_examples(split); ++i) {
      const Example e = example(split, i);
      spec.longest = std::max(spec.longest, e.n_tokens());
      if (spec.queries) spec.queries->longest = std::max(spec.queries->longest, e.n_queries);
    }
  }
  return spec;
}

}  // namespace attune
