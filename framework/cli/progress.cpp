#include "cli/progress.h"

#include <algorithm>
#include <cmath>

#include "base/quantity.h"
#include "base/text.h"
#include "cli/table.h"

namespace attune {
namespace {

constexpr double kRedraw = 0.1;  // s

std::string metrics_text(const ShownMetrics& metrics) {
  std::string text;
  for (const auto& [name, value] : metrics)
    text += fmt::format("  {} {}", name, short_number(value));
  return text;
}

std::string head(const TrialStarted& trial) {
  return fmt::format("[{}/{}] {}", trial.trial, trial.n_trials, trial.stem);
}

}  // namespace

void Progress::operator()(const Event& event) {
  const std::lock_guard lock(mutex_);
  std::visit([this](const auto& e) { on(e); }, event);
}

void Progress::on(const TrialStarted& e) {
  running_[e.trial] = {e, style_.now(), e.from_step, 0};
  if (style_.quiet) return;
  const std::string from = e.from_step > 0 ? fmt::format(", going on at step {}", e.from_step) : "";
  if (!style_.terminal || e.from_step > 0)
    line(fmt::format("{}: {} steps{}", head(e), e.n_steps, from));
}

void Progress::on(const Stepped& e) {
  const auto found = running_.find(e.trial);
  if (found == running_.end()) return;
  found->second.step = e.step;
  found->second.loss = e.loss;
  if (style_.terminal && !style_.quiet && style_.now() - drawn_ >= kRedraw) redraw(found->second);
}

void Progress::on(const Evaluated& e) {
  const auto found = running_.find(e.trial);
  if (style_.quiet || found == running_.end() || (style_.terminal && !style_.verbose)) return;
  const TrialStarted& trial = found->second.started;
  line(
      fmt::format("{}: step {}/{}{}", head(trial), e.step, trial.n_steps, metrics_text(e.metrics)));
}

void Progress::on(const Checkpointed& e) {
  const auto found = running_.find(e.trial);
  if (style_.quiet || !style_.verbose || found == running_.end()) return;
  line(fmt::format("{}: checkpoint at step {}", head(found->second.started), e.step));
}

void Progress::on(const TrialEnded& e) {
  static const char* const kHow[] = {"finished", "diverged", "stopped", "failed"};
  const auto found = running_.find(e.trial);
  const bool tells = !style_.quiet || e.how == TrialEnded::How::failed;
  if (tells && found != running_.end()) {
    const bool stopped = e.how == TrialEnded::How::stopped;  // the program says why
    const std::string why = e.why.empty() || stopped ? "" : ": " + e.why;
    line(fmt::format("{} {} at step {} in {}{}{}", head(found->second.started),
                     kHow[static_cast<int>(e.how)], std::max(e.step, found->second.step),
                     duration_text(e.seconds), why, metrics_text(e.final)));
  }
  running_.erase(e.trial);
}

void Progress::on(const Notice& e) { line("note: " + e.text); }

void Progress::line(const std::string& text) {
  clear();
  style_.write(text + "\n");
}

void Progress::redraw(const Running& trial) {
  drawn_ = style_.now();
  style_.write(fmt::format("\r{}\x1b[K", bar(trial)));
  bar_stands_ = true;
}

void Progress::clear() {
  if (bar_stands_) style_.write("\r\x1b[K");
  bar_stands_ = false;
}

std::string Progress::bar(const Running& trial) const {
  const TrialStarted& started = trial.started;
  const auto done = static_cast<double>(trial.step - started.from_step);
  const double seconds = style_.now() - trial.since;
  const double rate = seconds > 0 ? done / seconds : 0;

  std::vector<std::string> parts = {fmt::format("{}/{}", trial.step, started.n_steps),
                                    fmt::format("loss {}", short_number(trial.loss))};
  if (rate > 0) {
    const auto left = static_cast<double>(started.n_steps - trial.step);
    parts.insert(parts.begin() + 1, "ETA " + duration_text(left / rate));
    parts.insert(parts.begin() + 1,
                 fmt::format("{} steps/s", short_number(rate < 10 ? rate : std::round(rate))));
  }
  // What does not fit goes: the rate first, then the loss, then the ETA; counts and the trial stay.
  constexpr std::size_t kBar = 8;
  const std::size_t room = style_.width - 3;  // Ctrl-C is echoed as ^C behind it, and would wrap
  const std::string row_and_seed = started.stem.substr(0, started.stem.rfind('-'));  // not the id
  std::string name = fmt::format("[{}/{}] {}", started.trial, started.n_trials, row_and_seed);
  const auto width = [&] {
    return display_width(name) + 2 + kBar + 2 + display_width(join(parts, "  "));
  };
  for (const char* dispensable : {"steps/s", "loss", "ETA"}) {
    if (width() <= room) break;
    std::erase_if(parts, [&](const std::string& p) { return p.find(dispensable) != p.npos; });
  }
  if (width() > room) name = fmt::format("[{}/{}]", started.trial, started.n_trials);

  const std::size_t columns =
      std::clamp<std::size_t>(room > width() ? room - width() + kBar : kBar, kBar, 30);
  const double share = started.n_steps > 0
                           ? static_cast<double>(trial.step) / static_cast<double>(started.n_steps)
                           : 1;
  const auto filled =
      static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * static_cast<double>(columns));
  return name + "  " + std::string(filled, '#') + std::string(columns - filled, '.') + "  " +
         join(parts, "  ");
}

}  // namespace attune
