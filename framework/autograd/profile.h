#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace attune {

// Where the time of a run goes. Whoever does a part of the work adds a span; nothing of it reaches
// a number. Not thread-safe: it belongs to the thread that builds the tape, and a span is wall time
// of all threads together.
class Profile {
 public:
  enum class Phase { forward, backward, other };
  struct Span {
    std::string_view name;  // with static lifetime
    Phase phase = Phase::other;
    double begin = 0, seconds = 0;  // begin since the profile was made
    double flops = 0;               // of products; 0 where they are not what it does
    std::size_t bytes = 0;          // that the step has taken by then; 0 where nobody knows
  };

  Profile() : origin_(Clock::now()) {}

  double now() const { return std::chrono::duration<double>(Clock::now() - origin_).count(); }
  void add(std::string_view name, Phase phase, double begin, double flops = 0,
           std::size_t bytes = 0) {
    spans_.push_back({name, phase, begin, now() - begin, flops, bytes});
  }
  // A step ended: what came since the last one belongs to it.
  void end_step() { step_ends_.push_back(spans_.size()); }
  std::size_t n_steps() const { return step_ends_.size(); }

  // Sums over the steps but the first, which touches fresh memory: most time first.
  struct Line {
    std::string_view name;
    Phase phase = Phase::other;
    std::int64_t calls = 0;
    double seconds = 0, flops = 0;
    std::size_t bytes = 0;  // the most that any of its spans saw
  };
  std::vector<Line> lines() const;
  // Seconds of these steps, each from the begin of its first span to the end of its last.
  double seconds() const;
  std::size_t n_warm_steps() const { return n_steps() > 1 ? n_steps() - 1 : n_steps(); }

  // The Trace Event Format's JSON, complete events in microseconds: chrome://tracing and Perfetto
  // open it. At most so many spans, from the beginning.
  std::string trace(std::size_t most = 200'000) const;

 private:
  using Clock = std::chrono::steady_clock;
  std::size_t first() const { return step_ends_.size() > 1 ? step_ends_.front() : 0; }
  std::size_t last() const { return step_ends_.empty() ? spans_.size() : step_ends_.back(); }

  Clock::time_point origin_;
  std::vector<Span> spans_;
  std::vector<std::size_t> step_ends_;
};

// "forward"
std::string_view name_of(Profile::Phase phase);

// Adds what happens in its lifetime to a profile, where there is one.
class ProfileSpan {
 public:
  ProfileSpan(Profile* profile, std::string_view name)
      : profile_(profile), name_(name), begin_(profile ? profile->now() : 0) {}
  ~ProfileSpan() {
    if (profile_) profile_->add(name_, Profile::Phase::other, begin_);
  }
  ProfileSpan(const ProfileSpan&) = delete;
  ProfileSpan& operator=(const ProfileSpan&) = delete;

 private:
  Profile* profile_;
  std::string_view name_;
  double begin_;
};

}  // namespace attune
