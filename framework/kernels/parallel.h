#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <type_traits>

#include "base/shape.h"
#include "kernels/crew.h"

namespace attune::kernels {

// Sets flush-to-zero and denormals-are-zero for its lifetime: one subnormal operand costs a product
// a factor of 250. NaN and infinities keep their IEEE meaning; only magnitudes below 1.2e-38
// (2.2e-308 in double) become 0.
class FlushSubnormals {
 public:
  FlushSubnormals();
  ~FlushSubnormals();
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
  unsigned saved_;
};

namespace detail {

void parallel_shares(const char* kernel, Index n_blocks, double cost, WorkRef f);

}  // namespace detail

// The threads a run computes with. One calling thread at a time; several objects may live side by
// side.
class Threads {
 public:
  // n threads, the caller's own among them. n < 1 is a ConfigError.
  explicit Threads(int n);
  ~Threads();
  Threads(const Threads&) = delete;
  Threads& operator=(const Threads&) = delete;

  int count() const { return count_; }

  // Calls f once, with these threads as those of every parallel_for inside it and with subnormals
  // flushed. What f throws reaches the caller.
  template <class F>
  void run(F&& f) {
    auto once = [&](Blocks&) { f(); };
    run_work(work_ref(once));
  }

  // How often a parallel_for of each name really split since construction. Tests ask it, because
  // bits that agree between thread counts prove nothing about loops that stayed serial.
  const std::map<std::string, std::int64_t, std::less<>>& splits() const { return splits_; }

 private:
  friend void detail::parallel_shares(const char*, Index, double, WorkRef);
  struct Arena;

  void run_work(WorkRef f);
  void split(const char* kernel, Index n_blocks, WorkRef f);

  int count_;
  std::unique_ptr<Arena> arena_;
  std::map<std::string, std::int64_t, std::less<>> splits_;
};

// Below this much serial work (ns) a split costs more than it saves.
inline constexpr double kSerialGrain = 6'000;

// Calls f(block) for every block in [0, n_blocks), in any order, on the threads of the enclosing
// Threads::run.
//   kernel  name for Threads::splits(), with static lifetime
//   cost    estimated serial time of the whole loop in ns (a flop of a product: 0.01, an element of
//   a row kernel: 0.5);
//           a function of shapes alone
// Serial, in ascending order, below the grain, outside Threads::run, at one thread, and inside
// another block. Blocks must be functions of shapes alone and write to disjoint places: then bits
// don't depend on the thread count.
template <class F>
void parallel_for(const char* kernel, Index n_blocks, double cost, F&& f) {
  auto all = [&](Blocks& blocks) {
    for (Index block = 0; blocks.next(block);) f(block);
  };
  detail::parallel_shares(kernel, n_blocks, cost, work_ref(all));
}

// The same for work that a thread prepares once for all its blocks: f(blocks) on each thread that
// has any. What one core has just written costs another some 20 ns a line to read, more than
// packing 16 numbers of its own.
template <class F>
void parallel_shares(const char* kernel, Index n_blocks, double cost, F&& f) {
  detail::parallel_shares(kernel, n_blocks, cost, work_ref(f));
}

// The same over [0, n) in ranges of `block` elements, the last one shorter: f(begin, end).
template <class F>
void parallel_ranges(const char* kernel, Index n, Index block, double cost, F&& f) {
  parallel_for(kernel, (n + block - 1) / block, cost,
               [&](Index b) { f(b * block, std::min(n, (b + 1) * block)); });
}

}  // namespace attune::kernels
