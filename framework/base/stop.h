#pragma once

#include <atomic>
#include <optional>

#include "base/error.h"

namespace attune {

// Someone asks for a clean stop: a signal, --max-time or a budget, with the exit code it will end
// in. The first request counts, later ones change nothing. request() may be called from a signal
// handler; loops ask requested() between steps, write their checkpoint and throw InterruptedError.
class StopRequest {
 public:
  void request(ExitCode code) noexcept {
    int none = 0;
    code_.compare_exchange_strong(none, static_cast<int>(code), std::memory_order_relaxed);
  }

  std::optional<ExitCode> requested() const noexcept {
    const int code = code_.load(std::memory_order_relaxed);
    return code == 0 ? std::nullopt : std::optional(static_cast<ExitCode>(code));
  }

 private:
  static_assert(std::atomic<int>::is_always_lock_free);
  std::atomic<int> code_{0};
};

}  // namespace attune
