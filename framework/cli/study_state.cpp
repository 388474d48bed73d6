#include "cli/study_state.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "base/text.h"
#include "study/standing.h"

namespace attune {
namespace {

std::optional<Study> planned_study(const StudyFolder& folder, std::span<const Kind> kinds) {
  const std::vector<std::string> frozen = folder.frozen();
  if (frozen.empty()) return std::nullopt;
  try {
    return read_frozen(frozen.back(), kinds);
  } catch (const Error&) {  // `run` says what is wrong with it
    return std::nullopt;
  }
}

// Why the trials that stopped would not go on; empty when they would.
std::string hindrance(const Study& study, const StudyFolder& folder, std::span<const Kind> kinds) {
  try {
    require_same_study(study, plan_trials(study), folder, kinds);
    return {};
  } catch (const ChangedError& error) {
    return std::string("cannot go on: ") + error.what();
  } catch (const ConfigError& error) {
    return std::string("cannot go on: ") + error.what();
  } catch (const Error&) {  // of other trials
    return {};
  }
}

TrialState finished_state(const StudyFolder& folder, const std::string& stem) {
  try {
    const RunHead& head = folder.head(stem);
    return {stem, head.status, head.steps, head.steps, ""};
  } catch (const Error& e) {
    return {stem, "damaged", 0, 0, e.what()};
  }
}

}  // namespace

Index StudyState::count(std::string_view state) const {
  return std::count_if(trials.begin(), trials.end(),
                       [state](const TrialState& t) { return t.state == state; });
}

std::string StudyState::counts_text() const {
  if (trials.empty()) return "no trial yet";
  std::vector<std::string> parts;
  if (planned) parts.push_back(fmt::format("{} of {} finished", count("finished"), trials.size()));
  for (const char* state : {"finished", "diverged", "running", "stopped", "waiting", "damaged"}) {
    if (planned && std::string_view(state) == "finished") continue;
    if (const Index n = count(state); n > 0) parts.push_back(fmt::format("{} {}", n, state));
  }
  return join(parts);
}

StudyState state_of(const StudyFolder& folder, std::span<const Kind> kinds, Reading reading) {
  StudyState state;
  const std::optional<Study> study = planned_study(folder, kinds);
  state.planned = study.has_value();
  std::optional<std::string> hindered;  // asked once, for it reads the data
  for (const StudyFolder::Unfinished& u : folder.unfinished()) {
    TrialState t{u.stem, u.held ? "running" : "stopped", u.step, u.n_steps, u.problem};
    if (u.held && u.owner && t.remark.empty())
      t.remark = fmt::format("process {} on {}", u.owner->pid, u.owner->host);
    if (!u.held && t.remark.empty() && reading == Reading::files) {
      if (study && !hindered) hindered = hindrance(*study, folder, kinds);
      t.remark = hindered.value_or("").empty() ? "the same run command goes on here" : *hindered;
    }
    state.trials.push_back(std::move(t));
  }
  if (study)
    for (const Trial& trial : waiting_trials(*study, folder))
      state.trials.push_back({trial.place(), "waiting", 0, 0, ""});
  for (const std::string& stem : folder.finished())
    state.trials.push_back(reading == Reading::names ? TrialState{stem, "finished", 0, 0, ""}
                                                     : finished_state(folder, stem));
  return state;
}

}  // namespace attune
