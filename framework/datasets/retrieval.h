#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: retrieval. Key-value retrieval: n_pairs pairs of a key and its value, then one of the
// keys again; the class is that key's value.
//   k₁ v₁ k₂ v₂ … kₙ vₙ q,  q = k_j, class v_j
// Keys are distinct and drawn anew for every example, as values are, so that nothing but the
// example itself says which value a key has. Key k is token k, value v is token n_keys + v. A model
// that ignores the pairs' values is right in 1 of n_values examples; one that sees which values
// occur, but not with which key, in at most about 1 of n_pairs.
struct RetrievalOptions : GeneratedOptions {
  Index n_pairs = 4, n_keys = 8, n_values = 4;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
