#pragma once

#include <algorithm>
#include <memory>
#include <mutex>
#include <vector>

#include "base/shape.h"

namespace attune {

// Patches of a split's examples, each made once, on first use, and kept. Memory is taken at
// construction and touched on use, so that filling it allocates nothing; above kMaxBytes nothing is
// kept and each call makes its example again. Thread-safe.
class PatchCache {
 public:
  static constexpr Index kMaxBytes = Index{1} << 30;

  PatchCache() = default;
  // n_values[i]: floats of example i.
  explicit PatchCache(const std::vector<Index>& n_values) : offsets_(1, 0) {
    for (Index n : n_values) offsets_.push_back(offsets_.back() + n);
    if (offsets_.back() * Index{sizeof(float)} > kMaxBytes) return;
    values_.reset(new float[static_cast<std::size_t>(offsets_.back())]);
    made_ = std::make_unique<std::once_flag[]>(n_values.size());
  }

  // make(float*) fills example i.
  template <class Make>
  void copy(Index i, float* out, const Make& make) const {
    if (!values_) return make(out);
    const auto e = static_cast<std::size_t>(i);
    float* kept = values_.get() + offsets_[e];
    std::call_once(made_[e], [&] { make(kept); });
    std::copy(kept, values_.get() + offsets_[e + 1], out);
  }

 private:
  std::vector<Index> offsets_;
  std::unique_ptr<float[]> values_;
  std::unique_ptr<std::once_flag[]> made_;
};

}  // namespace attune
