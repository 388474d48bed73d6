#include "kernels/parallel.h"

#include <tbb/global_control.h>
#include <tbb/task_arena.h>
#include <tbb/task_group.h>
#include <xmmintrin.h>

#include <optional>
#include <thread>
#include <utility>

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

}  // namespace

FlushSubnormals::FlushSubnormals() : saved_(_mm_getcsr()) {
  _mm_setcsr(saved_ | kFlushToZero | kDenormalsAreZero);
}
FlushSubnormals::~FlushSubnormals() { _mm_setcsr(saved_); }

// oneTBB has the threads: it starts no more than the machine has cores unless told to, and keeps
// them from one run to the next. The loops are the crew's.
struct Threads::Arena {
  std::optional<tbb::global_control>
      limit;  // the smallest alive counts, so only a larger one is set
  tbb::task_arena arena;
  Crew* crew = nullptr;  // of the run under way

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

void Threads::run_work(WorkRef f) {
  const FlushSubnormals flush;
  Blocks once(1);
  if (current_threads == this) return f(once);
  const CurrentThreads current(this);
  if (count_ == 1) return f(once);
  arena_->arena.execute([&] {
    Crew crew(count_);
    tbb::task_group others;
    struct Ended {
      Arena& arena;
      Crew* outer;
      Crew& crew;
      tbb::task_group& others;
      // Members that have not come by now come here, on this thread, and find the run over.
      ~Ended() {
        arena.crew = outer;
        crew.dismiss();
        others.wait();
      }
    } const ended{*arena_, std::exchange(arena_->crew, &crew), crew, others};
    for (int member = 1; member < count_; ++member)
      others.run([&crew, member] {
        const FlushSubnormals flush_here;
        crew.serve(member);
      });
    f(once);
  });
}

void Threads::split(const char* kernel, Index n_blocks, WorkRef f) {
  auto entry = splits_.find(std::string_view(kernel));
  if (entry == splits_.end()) entry = splits_.emplace(kernel, 0).first;
  ++entry->second;
  const CurrentThreads none(nullptr);
  arena_->crew->loop(n_blocks, f);
}

void detail::parallel_shares(const char* kernel, Index n_blocks, double cost, WorkRef f) {
  if (n_blocks > 1 && cost >= kSerialGrain && current_threads != nullptr &&
      current_threads->count() > 1) {
    current_threads->split(kernel, n_blocks, f);
    return;
  }
  const FlushSubnormals flush;
  Blocks all(n_blocks);
  if (n_blocks > 0) f(all);
}

}  // namespace attune::kernels
