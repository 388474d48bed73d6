#include <sys/ioctl.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <thread>

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

std::string table_text(const std::vector<TrialState>& states, std::size_t most, std::size_t width) {
  using Align = Table::Align;
  Table table(
      {{"trial", Align::left}, {"state", Align::left}, {"step", Align::right}, {"", Align::left}});
  for (std::size_t i = 0; i < std::min(states.size(), most); ++i) {
    const TrialState& t = states[i];
    const std::string step = t.n_steps > 0 ? fmt::format("{}/{}", t.step, t.n_steps) : "";
    table.row({t.name, t.state, step, t.remark});
  }
  return table.empty() ? "" : table.text(width);
}

// Whether nothing is left that could change but by another start.
bool is_done(const StudyState& state) {
  return !state.trials.empty() && state.count("running") == 0 && state.count("stopped") == 0 &&
         state.count("waiting") == 0;
}

std::string bar(const StudyState& state, std::size_t width) {
  constexpr std::size_t kWidest = 60;
  double done = 0;
  for (const TrialState& t : state.trials) {
    const bool ended = t.state == "finished" || t.state == "diverged" || t.state == "damaged";
    done += ended           ? 1
            : t.n_steps > 0 ? static_cast<double>(t.step) / static_cast<double>(t.n_steps)
                            : 0;
  }
  const double share = state.trials.empty() ? 0 : done / static_cast<double>(state.trials.size());
  const std::size_t columns = std::min(width, kWidest) - 7;
  const auto full = static_cast<std::size_t>(share * static_cast<double>(columns));
  std::string text;
  for (std::size_t i = 0; i < columns; ++i) text += i < full ? "█" : "░";
  return fmt::format("{} {:3.0f} %", text, std::floor(100 * share));
}

// Lines that a terminal shows at once; it may be resized while one watches.
std::size_t height_of(const Output& out) {
  constexpr std::size_t kDefault = 24;
  winsize size{};
  return ioctl(fileno(out.file), TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row
                                                                            : kDefault;
}

// One screen: what runs and what stopped, then what ended last, as far as there is room.
std::string frame(const std::string& path, const StudyState& state, const Output& out) {
  constexpr std::size_t kAround = 6;  // head, bar, table's head, blank lines, foot
  const std::size_t height = height_of(out);
  const std::size_t most = height > kAround + 1 ? height - kAround : 1;
  std::string text =
      fmt::format("{}\n{}\n{}\n\n", out.bold(path), state.counts_text(), bar(state, out.width));
  std::string table = table_text(state.trials, most, out.width);
  // A remark that wraps takes lines, too.
  std::size_t lines = 0, end = 0;
  while (end < table.size() && lines < most) {
    end = table.find('\n', end) + 1;
    ++lines;
  }
  text += table.substr(0, end);
  if (state.trials.size() > most || end < table.size())
    text += out.dim(fmt::format("… of {} trials; --json has all", state.trials.size()));
  return text;
}

// At a terminal one screen, drawn again every second; elsewhere a line when a trial's state
// changes. Ends when all trials have; Ctrl-C ends the process, which holds nothing.
StudyState watch(const Session& session, const std::string& path) {
  constexpr std::chrono::seconds kBetween(1);
  const Output& out = session.console.out;
  StudyFolder folder(path);  // keeps what run files said: they never change
  std::map<std::string, std::string> before;
  std::string counts;
  while (true) {
    folder.refresh();
    StudyState state = state_of(folder, session.kinds, Reading::heads);
    if (out.terminal) {
      // From the top left corner, then whatever is left of the last frame is cleared.
      std::string lines;
      for (const char c : frame(path, state, out))
        lines += c == '\n' ? "\x1b[K\n" : std::string(1, c);
      out.print((counts.empty() ? "\x1b[2J\x1b[H" : "\x1b[H") + lines + "\x1b[J");
      counts = state.counts_text();
    } else {
      std::map<std::string, std::string> now;
      std::string lines;
      for (const TrialState& t : state.trials) {
        const std::string& was = before[place_in(t.name)];
        now[place_in(t.name)] = t.state;
        if (was != t.state && !(was.empty() && t.state == "waiting"))
          lines += fmt::format("{}: {}{}\n", t.name, t.state,
                               t.remark.empty() ? "" : fmt::format(" ({})", t.remark));
      }
      before = std::move(now);
      if (state.counts_text() != counts) lines += state.counts_text() + "\n";
      counts = state.counts_text();
      if (!lines.empty()) out.print(lines);
    }
    if (is_done(state)) return state;
    std::this_thread::sleep_for(kBetween);
  }
}

}  // namespace

ExitCode verb_status(Session& session) {
  const std::string path =
      find_study(session.command.operands.front(), session.command.text("out").value_or("results"));
  if (session.command.has("watch")) {
    if (session.console.json)
      refuse_command("--watch is for people, --json says the state once: give one of them");
    return code_of(watch(session, path));
  }
  const StudyState state = state_of(StudyFolder(path), session.kinds, Reading::files);
  const Output& out = session.console.out;
  if (session.console.json) {
    out.print(states_json(path, state).dump() + "\n");
    return code_of(state);
  }
  constexpr std::size_t kScreen = 20;
  std::string text = fmt::format("{}: {}\n", out.bold(path), state.counts_text());
  if (!state.trials.empty()) text += "\n" + table_text(state.trials, kScreen, out.width);
  if (state.trials.size() > kScreen)
    text += fmt::format("and {} more; --json has all\n", state.trials.size() - kScreen);
  out.print(text);
  return code_of(state);
}

}  // namespace attune
