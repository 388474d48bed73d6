#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: copy. Copy at a distance: `length` tokens, each drawn by itself; the target of row
// i + distance is token i, the rows before `distance` have none. No other token tells a token, so
// that a model that cannot see `distance` rows back is right in 1 of `vocabulary`, exactly: L
// layers of pattern window, w steps to either side, cannot when distance > L w.
struct CopyOptions : GeneratedOptions {
  Index length = 24, distance = 8, vocabulary = 8;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
