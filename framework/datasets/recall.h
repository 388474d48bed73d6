#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: recall. Associative recall as language modelling (Ba et al. 2016, "Using fast weights
// to attend to the recent past"; what an induction head does, Olsson et al. 2022): n_pairs pairs of
// a key and its value, then n_queries of the keys, each followed by its value again.
//   k₁ v₁ … kₙ vₙ q₁ v(q₁) q₂ v(q₂) … q_m
// The target of each query's row is the next token, its value; no other row has one. Keys of an
// example are distinct, queries are distinct, and all are drawn anew for every example. Key k is
// token k, value v is token n_keys + v, and both are the classes: a model that only knows what
// values are is right in 1 of n_values.
struct RecallOptions : GeneratedOptions {
  Index n_pairs = 4, n_queries = 4, n_keys = 8, n_values = 4;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
