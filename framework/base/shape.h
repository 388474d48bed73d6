#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "base/error.h"

namespace attune {

using Index = std::int64_t;

// Sizes of a contiguous row-major array, outermost first, rank 0 to 4, held inline. Rank 0 is a
// scalar: size 1. Zero-length dimensions are legal; negative ones are a ShapeError.
class Shape {
 public:
  static constexpr int kMaxRank = 4;

  Shape() = default;
  Shape(std::initializer_list<Index> dims) {
    ATTUNE_CHECK(dims.size() <= kMaxRank, ShapeError, "[shape] rank {} is above {}", dims.size(),
                 kMaxRank);
    for (Index d : dims) {
      ATTUNE_CHECK(d >= 0, ShapeError, "[shape] dimension {} is {}, below zero", rank_, d);
      dims_[static_cast<std::size_t>(rank_++)] = d;
    }
  }

  int rank() const { return rank_; }
  Index operator[](int axis) const { return dims_[static_cast<std::size_t>(axis)]; }
  Index size() const {
    Index n = 1;
    for (int i = 0; i < rank_; ++i) n *= (*this)[i];
    return n;
  }
  bool operator==(const Shape&) const = default;

  // "[3, 64]"
  std::string text() const {
    std::string s = "[";
    for (int i = 0; i < rank_; ++i) s += (i ? ", " : "") + std::to_string((*this)[i]);
    return s + "]";
  }

 private:
  std::array<Index, kMaxRank> dims_{};
  int rank_ = 0;
};

}  // namespace attune
