#include "kernels/crew.h"

#include <immintrin.h>

#include <algorithm>
#include <thread>

namespace attune::kernels {
namespace {

// A ticket: loop's number, next and end, of so many bits.
constexpr int kLoopBits = 24, kPlaceBits = 20;
constexpr std::uint64_t kPlaces = std::uint64_t{1} << kPlaceBits, kPlaceMask = kPlaces - 1;
constexpr std::uint32_t kLoopMask = (1U << kLoopBits) - 1;
static_assert(kLoopBits + 2 * kPlaceBits == 64);

std::uint64_t ticket(std::uint32_t number, Index next, Index end) {
  return static_cast<std::uint64_t>(number & kLoopMask) << (2 * kPlaceBits) |
         static_cast<std::uint64_t>(next) << kPlaceBits | static_cast<std::uint64_t>(end);
}

// Each is some 50 ns.
constexpr int kSpins = 1000;

}  // namespace

Crew::Crew(int n_members)
    : n_members_(n_members),
      spins_(n_members <= static_cast<int>(std::thread::hardware_concurrency()) ? kSpins : 0),
      shares_(std::make_unique<Share[]>(static_cast<std::size_t>(n_members))) {}

std::uint32_t Crew::next_loop(std::uint32_t seen) const {
  for (int i = 0; i < spins_; ++i) {
    if (const auto number = number_.load(std::memory_order_acquire); number != seen) return number;
    _mm_pause();
  }
  number_.wait(seen, std::memory_order_acquire);
  return number_.load(std::memory_order_acquire);
}

void Crew::serve(int member) {
  for (std::uint32_t seen = 0; !over_;) {
    if (number_.load(std::memory_order_acquire) == seen) seen = next_loop(seen);
    if (over_) break;
    seen = number_.load(std::memory_order_acquire);
    take_part(member, seen);
  }
}

bool Blocks::more() { return crew_ != nullptr && !crew_->failed_ && crew_->take_any(*this); }

// Whoever holds a group keeps its loop from ending, so that what is read after the exchange is that
// loop's.
bool Crew::take(Share& share, std::uint32_t number, Blocks& blocks) {
  std::uint64_t now = share.ticket.load(std::memory_order_acquire);
  for (;;) {
    const std::uint64_t next = now >> kPlaceBits & kPlaceMask, end = now & kPlaceMask;
    if (now >> (2 * kPlaceBits) != (number & kLoopMask) || next >= end) return false;
    if (share.ticket.compare_exchange_weak(now, now + kPlaces, std::memory_order_acq_rel)) {
      blocks.next_ = static_cast<Index>(next) * group_;
      blocks.end_ = std::min(n_blocks_, blocks.next_ + group_);
      return true;
    }
  }
}

// A group is done when the next one is there, and the last one when the work is over: until then
// it may use what the caller has.
bool Crew::take_any(Blocks& blocks) {
  for (int i = 0; i < n_members_; ++i) {
    Share& share = shares_[static_cast<std::size_t>((blocks.member_ + i) % n_members_)];
    if (!take(share, blocks.number_, blocks)) continue;
    if (blocks.holds_) left_.fetch_sub(1, std::memory_order_acq_rel);
    blocks.holds_ = true;
    return true;
  }
  return false;
}

void Crew::take_part(int member, std::uint32_t number) {
  Blocks blocks(*this, member, number);
  if (!take_any(blocks)) return;
  try {
    f_(blocks);
  } catch (...) {
    if (!failed_.exchange(true)) thrown_ = std::current_exception();
  }
  while (failed_ && take_any(blocks)) {
  }
  left_.fetch_sub(1, std::memory_order_acq_rel);
}

void Crew::loop(Index n_blocks, WorkRef f) {
  const auto most = static_cast<Index>(kPlaceMask);
  f_ = f;
  n_blocks_ = n_blocks;
  group_ = (n_blocks + most - 1) / most;
  const Index groups = (n_blocks + group_ - 1) / group_;
  failed_.store(false, std::memory_order_relaxed);
  left_.store(groups, std::memory_order_relaxed);
  const std::uint32_t number = number_.load(std::memory_order_relaxed) + 1;
  for (int m = 0; m < n_members_; ++m)
    shares_[static_cast<std::size_t>(m)].ticket.store(
        ticket(number, groups * m / n_members_, groups * (m + 1) / n_members_),
        std::memory_order_release);
  number_.store(number);  // in the same order for all as the count of those who sleep
  number_.notify_all();
  take_part(0, number);
  for (int i = 0; left_.load(std::memory_order_acquire) > 0; ++i) {
    _mm_pause();
    if (i >= spins_) std::this_thread::yield();
  }
  if (failed_.load(std::memory_order_relaxed))
    std::rethrow_exception(std::exchange(thrown_, nullptr));
}

void Crew::dismiss() {
  over_ = true;
  ++number_;
  number_.notify_all();
}

}  // namespace attune::kernels
