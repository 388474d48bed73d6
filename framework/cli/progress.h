#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "train/events.h"

namespace attune {

// How a run looks while it goes. On a terminal one line, redrawn at most ten times a second:
//   [2/3] reference-s1 ########........ 120/200  48 steps/s  ETA 2 s  loss 0.412
// which gives up its parts from the middle out where columns are few; a line stays for every trial
// that ended. Elsewhere (a file, CI) plain lines: trials' starts and ends and each evaluation. With
// several trials at once the bar shows the one that moved last. Safe to call from any thread.
class Progress {
 public:
  struct Style {
    bool terminal = false;
    bool quiet = false;    // notices and failures alone
    bool verbose = false;  // on a terminal, evaluations and checkpoints get lines too
    std::size_t width = 80;
    std::function<double()> now;                  // seconds, monotonic
    std::function<void(std::string_view)> write;  // to stderr
  };

  explicit Progress(Style style) : style_(std::move(style)) {}
  // Leaves no half line behind.
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void operator()(const Event& event);

 private:
  struct Running {
    TrialStarted started;
    double since = 0;  // when it started
    Index step = 0;
    double loss = 0;
  };

  void on(const TrialStarted& e);
  void on(const Stepped& e);
  void on(const Evaluated& e);
  void on(const Checkpointed& e);
  void on(const TrialEnded& e);
  void on(const Notice& e);

  void line(const std::string& text);  // a line that stays
  void redraw(const Running& trial);
  void clear();
  std::string bar(const Running& trial) const;

  Style style_;
  std::mutex mutex_;
  std::map<Index, Running> running_;
  double drawn_ = -1;  // when the bar was last drawn
  bool bar_stands_ = false;
};

}  // namespace attune
