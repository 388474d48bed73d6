#include "kernels/parallel.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>
#include <xmmintrin.h>

#include <optional>
#include <thread>

#ifdef ATTUNE_TSAN
#include <sanitizer/tsan_interface.h>
#endif

namespace attune::kernels {
namespace {

constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;

// Threads of the innermost Threads::run on this thread; null inside a block, so that loops don't
// nest.
thread_local Threads* current_threads = nullptr;

class CurrentThreads {
 public:
  explicit CurrentThreads(Threads* threads) : outer_(current_threads) { current_threads = threads; }
  ~CurrentThreads() { current_threads = outer_; }
  CurrentThreads(const CurrentThreads&) = delete;
  CurrentThreads& operator=(const CurrentThreads&) = delete;

 private:
  Threads* outer_;
};

// ThreadSanitizer cannot see how libtbb, which is not instrumented, hands work over and back. This
// file is compiled without it in the tsan preset, and tells it the two edges of a loop: what the
// caller wrote is seen by every block, what the blocks wrote is seen by the caller.
struct Handover {
#ifdef ATTUNE_TSAN
  char to_blocks = 0, to_caller = 0;
  void give() { __tsan_release(&to_blocks); }
  void begin_block() { __tsan_acquire(&to_blocks); }
  void end_block() { __tsan_release(&to_caller); }
  void take_back() { __tsan_acquire(&to_caller); }
#else
  void give() {}
  void begin_block() {}
  void end_block() {}
  void take_back() {}
#endif
};

// The edges as scopes, so that a block that throws has them too.
struct BlockOf {
  explicit BlockOf(Handover& h) : handover(h) { handover.begin_block(); }
  ~BlockOf() { handover.end_block(); }
  BlockOf(const BlockOf&) = delete;
  BlockOf& operator=(const BlockOf&) = delete;
  Handover& handover;
};
struct TakenBack {
  ~TakenBack() { handover.take_back(); }
  Handover& handover;
};

}  // namespace

FlushSubnormals::FlushSubnormals() : saved_(_mm_getcsr()) {
  _mm_setcsr(saved_ | kFlushToZero | kDenormalsAreZero);
}
FlushSubnormals::~FlushSubnormals() { _mm_setcsr(saved_); }

struct Threads::Arena {
  // TBB starts no more workers than the machine has cores unless told to; the smallest limit alive
  // counts, so only a larger one is set.
  std::optional<tbb::global_control> limit;
  tbb::task_arena arena;

  explicit Arena(int n) : arena(n) {
    if (n > static_cast<int>(std::thread::hardware_concurrency())) {
      limit.emplace(tbb::global_control::max_allowed_parallelism, static_cast<std::size_t>(n));
    }
  }
};

Threads::Threads(int n) : count_(n) {
  ATTUNE_CHECK(n >= 1, ConfigError, "[threads] {} threads were asked for; at least 1 is needed", n);
  arena_ = std::make_unique<Arena>(n);
}

Threads::~Threads() = default;

void Threads::run_block(detail::BlockRef f) {
  Handover handover;
  handover.give();
  const TakenBack taken_back{handover};
  arena_->arena.execute([&] {
    const FlushSubnormals flush;
    const CurrentThreads current(this);
    const BlockOf block(handover);
    f(0);
  });
}

void Threads::split(const char* kernel, Index n_blocks, detail::BlockRef f) {
  auto entry = splits_.find(std::string_view(kernel));
  if (entry == splits_.end()) entry = splits_.emplace(kernel, 0).first;
  ++entry->second;
  Handover handover;
  handover.give();
  const TakenBack taken_back{handover};
  tbb::parallel_for(tbb::blocked_range<Index>(0, n_blocks),
                    [f, &handover](const tbb::blocked_range<Index>& range) {
                      const FlushSubnormals flush;
                      const CurrentThreads none(nullptr);
                      const BlockOf blocks(handover);
                      for (Index block = range.begin(); block < range.end(); ++block) f(block);
                    });
}

void detail::parallel_for(const char* kernel, Index n_blocks, double cost, BlockRef f) {
  if (n_blocks > 1 && cost >= kSerialGrain && current_threads != nullptr &&
      current_threads->count() > 1) {
    current_threads->split(kernel, n_blocks, f);
    return;
  }
  const FlushSubnormals flush;
  for (Index block = 0; block < n_blocks; ++block) f(block);
}

}  // namespace attune::kernels
