#include "datasets/dataset.h"

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

std::vector<Index> Dataset::n_tokens(Split split) const {
  const Index n = n_examples(split);
  std::vector<Index> lengths;
  lengths.reserve(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) lengths.push_back(example(split, i).n_tokens());
  return lengths;
}

}  // namespace attune
