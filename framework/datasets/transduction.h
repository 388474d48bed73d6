#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: transduction. A sequence of tokens x₁ … x_L, each drawn by itself, is to be said again
// (rule: copy) or said backwards (reverse): queries are decoded, and the answer of query t is y_t,
//   copy  y_t = x_t      reverse  y_t = x_{L + 1 − t}      both  y_{L + 1} = the boundary
// where the boundary is class `vocabulary`. L is uniform on min_length … max_length. Nothing but
// the rows tells an answer: a decoder that knows of them what b bits can say cannot give every
// answer of lengths with L · log₂ vocabulary above b.
//
// Draws: L, then x₁ … x_L.
struct TransductionOptions : GeneratedOptions {
  enum class Rule { copy, reverse };
  Rule rule = Rule::copy;
  Index min_length = 5, max_length = 20, vocabulary = 10;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
