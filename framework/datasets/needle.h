#pragma once

#include "datasets/generated.h"

namespace attune {

// data.kind: needle. Retrieval among noise: n_noise + 1 vectors in any order, of which one, the
// needle, carries the class. Every value is N(0, sigma²), but for the needle's value c, which is
// `margin`, when the class is c. So a query along axis c sees one score `margin` among n_noise
// scores N(0, sigma²), for which softmax puts e^m / (e^m + n_noise · e^(sigma²/2)) on the needle
// while sparsemax finds it alone with probability Φ((m − 1) / sigma)^n_noise.
struct NeedleOptions : GeneratedOptions {
  Index n_noise = 16, width = 8, n_classes = 4;
  double margin = 5, sigma = 1;

  void fields(FieldList& f) override;
  std::unique_ptr<Dataset> open(const DataContext& context) const override;
};

}  // namespace attune
