#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "base/philox.h"
#include "tensor/view.h"

namespace attune::testing {

// An owning array for tests, filled from a seed.
template <class Real>
class Array {
 public:
  Array(const Shape& shape, Real value = 0) : shape_(shape), values_(size(shape), value) {}
  // Uniform on (−1, 1); the same values in every Real up to rounding.
  static Array random(const Shape& shape, std::uint64_t seed) {
    Array a(shape);
    const Stream stream(seed);
    for (std::size_t i = 0; i < a.values_.size(); ++i) {
      a.values_[i] = static_cast<Real>(2 * stream.uniform(i) - 1);
    }
    return a;
  }

  View<Real> view() { return {values_.data(), shape_}; }
  View<const Real> view() const { return {values_.data(), shape_}; }
  Real& operator[](Index i) { return values_[static_cast<std::size_t>(i)]; }
  Real operator[](Index i) const { return values_[static_cast<std::size_t>(i)]; }
  Index size() const { return shape_.size(); }
  const Shape& shape() const { return shape_; }

 private:
  // One element at least: an empty array still has an address, as one of the arena's has.
  static std::size_t size(const Shape& shape) {
    return static_cast<std::size_t>(shape.size() > 0 ? shape.size() : 1);
  }

  Shape shape_;
  std::vector<Real> values_;
};

// Bit for bit, NaN and signs of zero included.
template <class Real>
bool same_bits(const Array<Real>& a, const Array<Real>& b) {
  return a.shape() == b.shape() &&
         std::memcmp(a.view().data(), b.view().data(),
                     static_cast<std::size_t>(a.size()) * sizeof(Real)) == 0;
}

}  // namespace attune::testing
