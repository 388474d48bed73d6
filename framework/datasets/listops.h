#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: listops. Nested lists of digits under MAX, MIN, MED (the median, rounded down) and SM
// (the sum modulo 10), whose value, 0 … 9, is the class; as in the Long Range Arena (Tay et al.
// 2021), after Nangia & Bowman 2018:
//   [MAX 4 [MED 1 5 8 ] 0 [SM 9 9 ] ]   is 8
// A node is an operator with probability 1/4, below the deepest level max_depth always a digit; an
// operator has 2 … max_args arguments; trees are drawn until one has min_length … max_length
// tokens, brackets included. So classes fall as they fall, each in .09 to .11 of
// the examples with these defaults; who reads the outermost operator alone is better than that.
struct ListopsOptions : GeneratedOptions {
  Index max_depth = 3, max_args = 5, min_length = 4, max_length = 24;

  void fields(FieldList& f) override;
  // KeyedDataError when in a million trees none has such a length.
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
