#pragma once

#include <array>
#include <chrono>

namespace attune::kernels {

// Where the time of a forward attention goes, for who asks: while one lives, the attentions that
// its thread computes by itself tell it when they pass from one part to the next. Without one that
// costs a look at a pointer for some rows of scores.
class PartClock {
 public:
  enum class Part { other, score, select, normalise, value };
  static constexpr int kParts = 5;

  PartClock() : outer_(current_), since_(Clock::now()) { current_ = this; }
  ~PartClock() { current_ = outer_; }
  PartClock(const PartClock&) = delete;
  PartClock& operator=(const PartClock&) = delete;

  // What follows is of this part.
  static void enter(Part part) {
    if (current_) current_->turn(part);
  }
  double seconds(Part part) const { return seconds_[static_cast<std::size_t>(part)]; }

 private:
  using Clock = std::chrono::steady_clock;

  void turn(Part part) {
    const auto now = Clock::now();
    seconds_[static_cast<std::size_t>(part_)] +=
        std::chrono::duration<double>(now - since_).count();
    since_ = now;
    part_ = part;
  }

  inline static thread_local PartClock* current_ = nullptr;
  PartClock* outer_;
  Clock::time_point since_;
  Part part_ = Part::other;
  std::array<double, kParts> seconds_ = {};
};

}  // namespace attune::kernels
