#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>

#include "base/shape.h"

namespace attune::kernels {

class Crew;

// What one thread does of a loop: its blocks, as next() gives them.
class Blocks {
 public:
  // All n of them, rising.
  explicit Blocks(Index n) : end_(n) {}
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;

  bool next(Index& block) {
    if (next_ == end_ && !more()) return false;
    block = next_++;
    return true;
  }

 private:
  friend class Crew;
  Blocks(Crew& crew, int member, std::uint32_t number)
      : crew_(&crew), member_(member), number_(number) {}
  bool more();

  Crew* crew_ = nullptr;  // null: there are no others
  int member_ = 0;
  std::uint32_t number_ = 0;  // of the loop
  Index next_ = 0, end_ = 0;  // taken, but not given yet
  bool holds_ = false;        // has taken any
};

// A callable by reference, so that a loop allocates nothing.
struct WorkRef {
  void* callable;
  void (*call)(void* callable, Blocks& blocks);
  void operator()(Blocks& blocks) const { call(callable, blocks); }
};

template <class F>
WorkRef work_ref(F& f) {
  return {const_cast<void*>(static_cast<const void*>(&f)),
          [](void* callable, Blocks& blocks) { (*static_cast<F*>(callable))(blocks); }};
}

// Threads that share the blocks of loops. Each begins with its own share, the same of every loop,
// so that rows stay in the cache of one core from op to op; who is done takes blocks of the others.
// Members wait for the next loop awake for some 50 µs, which a training step's serial stretches
// don't reach, and sleep after that. A loop never waits for a member that has not come: the caller
// would do its blocks.
class Crew {
 public:
  // n_members threads at most, the caller's own included. n_members > cores: nobody waits awake.
  explicit Crew(int n_members);

  // Waits for loops until dismissed; member counts from 1. For the other threads.
  void serve(int member);
  // f(blocks) once on each thread that finds any of the n_blocks > 0 to do; for the caller's thread
  // alone, one loop at a time. If f throws, one of what it threw, after no block runs any more;
  // those not begun by then are left.
  void loop(Index n_blocks, WorkRef f);
  // Lets all members go, also those that have yet to come.
  void dismiss();

 private:
  // Blocks not yet taken, [next, end), of loop number `loop`, in one word.
  struct alignas(64) Share {
    std::atomic<std::uint64_t> ticket = 0;
  };

  friend class Blocks;
  void take_part(int member, std::uint32_t number);
  bool take(Share& share, std::uint32_t number, Blocks& blocks);
  bool take_any(Blocks& blocks);
  std::uint32_t next_loop(std::uint32_t seen) const;

  const int n_members_, spins_;
  const std::unique_ptr<Share[]> shares_;
  // Of the loop under way: blocks go out `group_` at a time.
  WorkRef f_{};
  Index n_blocks_ = 0, group_ = 1;
  std::exception_ptr thrown_;
  alignas(64) std::atomic<std::uint32_t> number_ = 0;  // of the newest loop
  alignas(64) std::atomic<Index> left_ = 0;            // groups that are not done
  std::atomic<bool> failed_ = false, over_ = false;
};

}  // namespace attune::kernels
