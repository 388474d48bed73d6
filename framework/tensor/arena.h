#pragma once

#include <cstddef>
#include <vector>

#include "tensor/view.h"

namespace attune {

// Bump allocator for values that live one training step. Memory is 64-byte aligned and never
// returned before destruction. A step that outgrows the slab takes another; reset() joins the slabs
// into one of their total size, so that a warm step calls malloc nowhere. Not thread-safe: an arena
// belongs to the thread that builds the tape.
class Arena {
 public:
  static constexpr std::size_t kAlignment = 64;

  explicit Arena(std::size_t initial_bytes = 0);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised memory for `count` elements; a count of zero gives a valid pointer.
  template <class T>
  T* allocate(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>, "the arena runs no destructors");
    return static_cast<T*>(allocate_bytes(count * sizeof(T)));
  }
  template <class T>
  View<T> view(const Shape& shape) {
    return View<T>(allocate<T>(static_cast<std::size_t>(shape.size())), shape);
  }
  template <class T>
  View<T> zeros(const Shape& shape) {
    View<T> v = view<T>(shape);
    for (T& x : v) x = T(0);
    return v;
  }
  void* allocate_bytes(std::size_t bytes);

  // Forgets every allocation; slabs are joined.
  void reset();

  // Stack discipline for scratch: everything allocated after mark() is forgotten by rewind(mark).
  struct Mark {
    std::size_t slab = 0, used = 0;
  };
  Mark mark() const { return {current_, current_ < slabs_.size() ? slabs_[current_].used : 0}; }
  void rewind(Mark mark);

  std::size_t high_water() const { return high_water_; }  // bytes, since construction
  std::size_t capacity() const;                           // bytes held
  std::size_t in_use() const;                             // bytes allocated now

 private:
  struct Slab {
    std::byte* data;
    std::size_t size, used;
  };
  void add_slab(std::size_t bytes);

  std::vector<Slab> slabs_;
  std::size_t current_ = 0;
  std::size_t high_water_ = 0;
};

// Scratch of the calling thread, for kernels: marked on construction, rewound on destruction. Its
// memory stays with the thread, so a warm kernel does not allocate.
class Scratch {
 public:
  Scratch();
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  template <class T>
  View<T> view(const Shape& shape) {
    return arena_.view<T>(shape);
  }
  template <class T>
  T* allocate(Index count) {
    return arena_.allocate<T>(static_cast<std::size_t>(count));
  }
  // The most that the kernels of this thread ever held, in bytes.
  std::size_t high_water() const { return arena_.high_water(); }

 private:
  Arena& arena_;
  Arena::Mark mark_;
};

}  // namespace attune
