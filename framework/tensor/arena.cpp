#include "tensor/arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <new>

namespace attune {
namespace {

constexpr std::size_t kFirstSlab = std::size_t{1} << 20;

// Slabs of several of these lie on large pages, where the system has them: the first touch of
// thousands of small ones takes as long as the rest of a first step.
constexpr std::size_t kLargePage = std::size_t{1} << 21;

std::byte* new_memory(std::size_t bytes) {
  const std::size_t alignment = bytes >= 2 * kLargePage ? kLargePage : Arena::kAlignment;
  void* const memory = ::operator new (bytes, std::align_val_t{alignment});
  if (alignment == kLargePage) madvise(memory, bytes, MADV_HUGEPAGE);  // refused: small pages
  return static_cast<std::byte*>(memory);
}
void delete_memory(std::byte* memory, std::size_t bytes) {
  ::operator delete (memory,
                     std::align_val_t{bytes >= 2 * kLargePage ? kLargePage : Arena::kAlignment});
}

std::size_t aligned(std::size_t bytes) {
  return (bytes + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
}

Arena& thread_scratch() {
  thread_local Arena arena;
  return arena;
}

}  // namespace

Arena::Arena(std::size_t initial_bytes) {
  slabs_.reserve(16);
  if (initial_bytes > 0) add_slab(aligned(initial_bytes));
}

Arena::~Arena() {
  for (const Slab& slab : slabs_) delete_memory(slab.data, slab.size);
}

void Arena::add_slab(std::size_t bytes) { slabs_.push_back({new_memory(bytes), bytes, 0}); }

void* Arena::allocate_bytes(std::size_t bytes) {
  bytes = aligned(std::max<std::size_t>(bytes, 1));
  while (current_ < slabs_.size() && slabs_[current_].used + bytes > slabs_[current_].size)
    ++current_;
  if (current_ >= slabs_.size()) {
    add_slab(std::max({bytes, kFirstSlab, capacity()}));
    current_ = slabs_.size() - 1;
  }
  Slab& slab = slabs_[current_];
  void* p = slab.data + slab.used;
  slab.used += bytes;
  high_water_ = std::max(high_water_, in_use());
  return p;
}

void Arena::reset() {
  if (slabs_.size() > 1) {
    const std::size_t total = capacity();
    for (const Slab& slab : slabs_) delete_memory(slab.data, slab.size);
    slabs_.clear();
    add_slab(total);
  }
  for (Slab& slab : slabs_) slab.used = 0;
  current_ = 0;
}

void Arena::rewind(Mark mark) {
  for (std::size_t i = mark.slab + 1; i < slabs_.size(); ++i) slabs_[i].used = 0;
  if (mark.slab < slabs_.size()) slabs_[mark.slab].used = mark.used;
  current_ = mark.slab;
  // Outermost scratch of a thread that outgrew its slab: join, so that the next call finds room in
  // one piece.
  if (mark.slab == 0 && mark.used == 0) reset();
}

std::size_t Arena::capacity() const {
  std::size_t total = 0;
  for (const Slab& slab : slabs_) total += slab.size;
  return total;
}

std::size_t Arena::in_use() const {
  std::size_t total = 0;
  for (const Slab& slab : slabs_) total += slab.used;
  return total;
}

Scratch::Scratch() : arena_(thread_scratch()), mark_(arena_.mark()) {}
Scratch::~Scratch() { arena_.rewind(mark_); }

}  // namespace attune
