#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "cli/study_state.h"
#include "cli/table.h"

namespace attune {
namespace {

Json states_json(const std::string& path, const StudyState& state) {
  Json trials = Json::List{};
  for (const TrialState& t : state.trials) {
    Json trial;
    trial.set("trial", t.name).set("state", t.state).set("step", t.step).set("steps", t.n_steps);
    if (!t.remark.empty()) trial.set("remark", t.remark);
    trials.push(std::move(trial));
  }
  Json json;
  return json.set("study", std::filesystem::path(path).filename().string())
      .set("folder", path)
      .set("trials", std::move(trials));
}

// Damage outlasts whatever else there is to say: scripts that wait for a study must see it.
ExitCode code_of(const StudyState& state) {
  return state.count("damaged") > 0 ? ExitCode::damaged : ExitCode::ok;
}

}  // namespace

ExitCode verb_status(Session& session) {
  const std::string path =
      find_study(session.command.operands.front(), session.command.text("out").value_or("results"));
  const StudyState state = state_of(StudyFolder(path), session.kinds, Reading::files);
  const std::vector<TrialState>& states = state.trials;
  const Output& out = session.console.out;
  if (session.console.json) {
    out.print(states_json(path, state).dump() + "\n");
    return code_of(state);
  }
  using Align = Table::Align;
  Table table(
      {{"trial", Align::left}, {"state", Align::left}, {"step", Align::right}, {"", Align::left}});
  constexpr std::size_t kScreen = 20;
  for (std::size_t i = 0; i < std::min(states.size(), kScreen); ++i) {
    const TrialState& t = states[i];
    const std::string step = t.n_steps > 0 ? fmt::format("{}/{}", t.step, t.n_steps) : "";
    table.row({t.name, t.state, step, t.remark});
  }
  std::string text = fmt::format("{}: {}\n", out.bold(path), state.counts_text());
  if (!table.empty()) text += "\n" + table.text(out.width);
  if (states.size() > kScreen)
    text += fmt::format("and {} more; --json has all\n", states.size() - kScreen);
  out.print(text);
  return code_of(state);
}

}  // namespace attune
