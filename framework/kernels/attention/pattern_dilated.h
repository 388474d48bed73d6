#pragma once

#include "kernels/attention/head.h"

namespace attune::kernels {

// Keys i ± 0, r, 2 r, …, window · r, with r = dilation (Beltagy et al. 2020, section 3.1).
inline KeySet dilated_keys(const Sight& s, Index i) {
  const Index r = s.options->dilation, w = s.options->window;
  const Index down = std::min(w, i / r), low = i - down * r;
  const Index last = s.n_k - 1 - low;  // the last key, counted from the first
  return {low, last < 0 ? 0 : std::min(down + w, last / r) + 1, r};
}

}  // namespace attune::kernels
