#pragma once

#include <type_traits>

#include "base/shape.h"

namespace attune {

// A contiguous row-major array that somebody else owns. Copying a view copies no element;
// View<const T> reads only. A default view is absent (optional operands): data() is null.
template <class T>
class View {
 public:
  using value_type = std::remove_const_t<T>;

  View() = default;
  View(T* data, const Shape& shape) : data_(data), shape_(shape) {}
  // View<T> reads as View<const T>.
  template <class U>
  requires(std::is_const_v<T>&& std::is_same_v<U, std::remove_const_t<T>>)
      View(const View<U>& other)
      : data_(other.data()), shape_(other.shape()) {}  // NOLINT(google-explicit-constructor)

  explicit operator bool() const { return data_ != nullptr; }
  T* data() const { return data_; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  Index dim(int axis) const { return shape_[axis]; }
  Index size() const { return data_ == nullptr ? 0 : shape_.size(); }
  T* begin() const { return data_; }
  T* end() const { return data_ + size(); }
  T& operator[](Index i) const { return data_[i]; }
  T& operator()(Index i, Index j) const { return data_[i * shape_[1] + j]; }
  T* row(Index i) const { return data_ + i * (shape_.size() / (shape_[0] ? shape_[0] : 1)); }
  // Rows [first, first + n) of a matrix, as one.
  View rows(Index first, Index n) const {
    return View(data_ + first * shape_[1], Shape{n, shape_[1]});
  }
  // The same elements under another shape of equal size.
  View reshaped(const Shape& shape) const {
    ATTUNE_CHECK(shape.size() == shape_.size(), ShapeError,
                 "[reshape] {} holds {} elements, {} would hold {}", shape_.text(), shape_.size(),
                 shape.text(), shape.size());
    return View(data_, shape);
  }

 private:
  T* data_ = nullptr;
  Shape shape_;
};

}  // namespace attune
