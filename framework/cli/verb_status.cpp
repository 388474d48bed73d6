#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/text.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "cli/table.h"
#include "storage/run_file.h"
#include "storage/study_folder.h"

namespace attune {
namespace {

struct TrialState {
  std::string stem, state;  // finished, diverged, running, stopped, damaged
  Index step = 0, n_steps = 0;
  std::string remark;
};

std::string owner_text(const std::optional<LockOwner>& owner) {
  return owner ? fmt::format("process {} on {}", owner->pid, owner->host) : std::string();
}

// Unfinished trials first: they are what one looks for.
std::vector<TrialState> states_of(const StudyFolder& folder) {
  std::vector<TrialState> states;
  for (const StudyFolder::Unfinished& u : folder.unfinished()) {
    const std::string remark = !u.problem.empty() ? u.problem
                               : u.held           ? owner_text(u.owner)
                                                  : "the same run command goes on here";
    states.push_back({u.stem, u.held ? "running" : "stopped", u.step, u.n_steps, remark});
  }
  for (const std::string& stem : folder.finished()) {
    try {
      const RunHead head = read_run_head(folder.run_path(stem));
      states.push_back({stem, head.status, head.steps, head.steps, ""});
    } catch (const Error& e) {
      states.push_back({stem, "damaged", 0, 0, e.what()});
    }
  }
  return states;
}

std::string counts_text(const std::vector<TrialState>& states) {
  std::vector<std::string> parts;
  for (const char* state : {"finished", "diverged", "running", "stopped", "damaged"}) {
    const auto n = std::count_if(states.begin(), states.end(),
                                 [state](const TrialState& t) { return t.state == state; });
    if (n > 0) parts.push_back(fmt::format("{} {}", n, state));
  }
  return parts.empty() ? "no trial yet" : join(parts);
}

Json states_json(const std::string& path, const std::vector<TrialState>& states) {
  Json trials = Json::List{};
  for (const TrialState& t : states) {
    Json trial;
    trial.set("trial", t.stem).set("state", t.state).set("step", t.step).set("steps", t.n_steps);
    if (!t.remark.empty()) trial.set("remark", t.remark);
    trials.push(std::move(trial));
  }
  Json json;
  return json.set("study", std::filesystem::path(path).filename().string())
      .set("folder", path)
      .set("trials", std::move(trials));
}

// Damage outlasts whatever else there is to say: scripts that wait for a study must see it.
ExitCode code_of(const std::vector<TrialState>& states) {
  const bool damaged = std::any_of(states.begin(), states.end(),
                                   [](const TrialState& t) { return t.state == "damaged"; });
  return damaged ? ExitCode::damaged : ExitCode::ok;
}

}  // namespace

ExitCode verb_status(Session& session) {
  const std::string path =
      find_study(session.command.operands.front(), session.command.text("out").value_or("results"));
  const std::vector<TrialState> states = states_of(StudyFolder(path));
  const Output& out = session.console.out;
  if (session.console.json) {
    out.print(states_json(path, states).dump() + "\n");
    return code_of(states);
  }
  using Align = Table::Align;
  Table table(
      {{"trial", Align::left}, {"state", Align::left}, {"step", Align::right}, {"", Align::left}});
  constexpr std::size_t kScreen = 20;
  for (std::size_t i = 0; i < std::min(states.size(), kScreen); ++i) {
    const TrialState& t = states[i];
    const std::string step = t.n_steps > 0 ? fmt::format("{}/{}", t.step, t.n_steps) : "";
    table.row({t.stem, t.state, step, t.remark});
  }
  std::string text = fmt::format("{}: {}\n", out.bold(path), counts_text(states));
  if (!table.empty()) text += "\n" + table.text(out.width);
  if (states.size() > kScreen)
    text += fmt::format("and {} more; --json has all\n", states.size() - kScreen);
  out.print(text);
  return code_of(states);
}

}  // namespace attune
