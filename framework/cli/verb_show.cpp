#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/quantity.h"
#include "base/text.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "cli/study_state.h"
#include "cli/table.h"
#include "storage/metadata.h"
#include "storage/run_file.h"
#include "storage/study_folder.h"
#include "study/outcome.h"
#include "study/study_config.h"
#include "train/metrics.h"

namespace attune {
namespace {

using Align = Table::Align;

std::string text_at(const Json& json, std::initializer_list<const char*> keys) {
  const Json* at = &json;
  for (const char* key : keys)
    if (at) at = at->find(key);
  return at && at->text() ? *at->text() : std::string();
}

double real_at(const Json& json, const char* group, const char* key) {
  const Json* at = json.find(group);
  if (at) at = at->find(key);
  return at ? at->real().value_or(0) : 0;
}

std::string provenance_text(const RunHead& head, const Json& metadata, std::size_t width) {
  Table table({{"", Align::left}, {"", Align::left}});
  table.row({"identity", head.identity});
  if (!head.data_sha256.empty()) table.row({"data", head.data_sha256});
  table.row({"build", head.build_id});
  if (metadata.is_null()) {
    table.row({"made", "unknown: no .meta.json stands beside this file"});
  } else {
    const std::string commit = text_at(metadata, {"build", "commit"});
    const Json* build = metadata.find("build");
    const bool* dirty = build && build->find("dirty") ? build->find("dirty")->boolean() : nullptr;
    table.row({"commit", (commit.empty() ? "unknown" : commit.substr(0, 12)) +
                             (dirty && *dirty ? ", modified" : "")});
    table.row({"made", fmt::format("{} on {}, in {}", text_at(metadata, {"when", "finished"}),
                                   text_at(metadata, {"where", "host"}),
                                   duration_text(real_at(metadata, "when", "seconds")))});
  }
  return table.text(width);
}

std::string final_text(const std::vector<FinalMetric>& final, std::size_t width) {
  Table table({{"metric", Align::left},
               {"value", Align::right},
               {"units", Align::left},
               {"read", Align::left}});
  for (const FinalMetric& m : final)
    table.row({m.split + "/" + m.name, short_number(m.value), m.units, m.how});
  return table.text(width);
}

std::string curves_text(const std::map<std::string, MetricTable>& metrics, std::size_t width) {
  constexpr std::size_t kColumns = 30;
  Table table({{"curve", Align::left},
               {"", Align::left},
               {"first", Align::right},
               {"last", Align::right},
               {"steps", Align::left}});
  for (const auto& [split, series] : metrics) {
    if (series.step.empty()) continue;
    for (std::size_t m = 0; m < series.info.size(); ++m) {
      const std::vector<double>& values = series.values[m];
      table.row({split + "/" + series.info[m].name, sparkline(values, kColumns),
                 short_number(values.front()), short_number(values.back()),
                 fmt::format("{} to {}", series.step.front(), series.step.back())});
    }
  }
  return table.text(width);
}

std::string config_text(const Trial& trial, const Json& metadata, std::size_t width) {
  const Json* origins = metadata.find("origins");
  Table table({{"key", Align::left}, {"value", Align::left}, {"from", Align::left}});
  for (const ConfigLeaf& leaf : trial.config) {
    const Json* origin = origins ? origins->find(leaf.key) : nullptr;
    table.row(
        {leaf.key, to_text(leaf.value), origin && origin->text() ? *origin->text() : "default"});
  }
  return table.text(width);
}

Json head_json(const RunHead& head) {
  Json final = Json::Map{};
  for (const FinalMetric& m : head.final) final.set(m.split + "/" + m.name, m.value);
  Json json;
  json.set("study", head.name).set("row", head.row).set("kind", head.kind).set("seed", head.seed);
  if (head.fold) json.set("fold", *head.fold);
  json.set("status", head.status).set("steps", head.steps).set("identity", head.identity);
  json.set("data_sha256", head.data_sha256).set("build_id", head.build_id);
  return json.set("final", std::move(final));
}

void show_run(const Console& console, const std::string& path) {
  const RunFile run = read_run_file(path);
  const Json metadata = metadata_beside(path);
  checked_sha256(path, metadata);
  const Output& out = console.out;
  if (console.json) {
    Json config = Json::Map{};
    for (const ConfigLeaf& leaf : run.trial.config) config.set(leaf.key, leaf.value);
    Json json = head_json(run.head);
    json.set("config", std::move(config)).set("metadata", metadata);
    out.print(json.dump() + "\n");
    return;
  }
  const RunHead& head = run.head;
  std::string text = fmt::format(
      "{}: {}, seed {}{}, {} after {} steps of {}\n\n", out.bold(head.name), head.row, head.seed,
      head.fold ? fmt::format(", fold {}", *head.fold) : "", head.status, head.steps, head.kind);
  text += provenance_text(head, metadata, out.width) + "\n";
  text += final_text(head.final, out.width) + "\n";
  text += curves_text(run.content.metrics, out.width) + "\n";
  text += config_text(run.trial, metadata, out.width);
  out.print(text);
}

// A finished trial.
struct Shown {
  std::string path;
  RunHead head;
};

// Trials of one row and one config, each seed and fold once: what may be averaged.
struct ShownRow {
  std::string row;
  Trial made_of;                       // of the first of them
  std::vector<const Shown*> finished;  // at least one
};

bool holds(const ShownRow& row, const RunHead& head) {
  Trial trial = row.made_of;
  trial.seed = head.seed;
  trial.fold = head.fold;
  trial.stop_step = head.stop_step;
  trial.repeat = head.repeat;
  trial.data_sha256 = head.data_sha256;
  trial.init_sha256 = head.init_sha256;
  return row.row == head.row && trial.identity() == head.identity &&
         std::none_of(row.finished.begin(), row.finished.end(), [&head](const Shown* other) {
           return other->head.seed == head.seed && other->head.fold == head.fold &&
                  other->head.repeat == head.repeat;
         });
}

// The reference first.
std::vector<ShownRow> rows_of(const std::vector<Shown>& finished) {
  std::vector<ShownRow> rows;
  for (const Shown& trial : finished) {
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&](const ShownRow& r) { return holds(r, trial.head); });
    if (row == rows.end())
      row = rows.insert(row, {trial.head.row, read_run_file(trial.path).trial, {}});
    row->finished.push_back(&trial);
  }
  std::stable_partition(rows.begin(), rows.end(),
                        [](const ShownRow& row) { return row.row == kReferenceRow; });
  return rows;
}

// What a row is called beside others of its name: which of its keys have other values there, or
// else its data.
std::string label_of(const ShownRow& row, const std::vector<ShownRow>& all) {
  std::vector<std::string> keys;
  bool alone = true;
  for (const ShownRow& other : all) {
    if (&other == &row || other.row != row.row) continue;
    alone = false;
    for (const ConfigLeaf& leaf : row.made_of.config) {
      const auto same = std::find_if(other.made_of.config.begin(), other.made_of.config.end(),
                                     [&leaf](const ConfigLeaf& l) { return l.key == leaf.key; });
      const std::string text = fmt::format("{}={}", leaf.key, to_text(leaf.value));
      if (same != other.made_of.config.end() && to_text(same->value) == to_text(leaf.value))
        continue;
      if (std::find(keys.begin(), keys.end(), text) == keys.end()) keys.push_back(text);
    }
  }
  if (alone) return row.row;
  if (keys.empty()) keys.push_back(fmt::format("data {:.8}", row.made_of.data_sha256));
  return fmt::format("{} ({})", row.row, join(keys));
}

// How many folds the study of a run has, by its own config.
Index n_folds(const Trial& trial) {
  for (const ConfigLeaf& leaf : trial.config)
    if (leaf.key == "data.split.count")
      if (const auto* count = std::get_if<Index>(&leaf.value)) return *count;
  return 0;
}

// Every seed and fold that any of a row's trials has, so that one that is not finished is missing.
RowOutcome outcome_of(const ShownRow& row, const std::string& label,
                      const std::vector<std::string>& metrics) {
  using Replicate = std::pair<Index, std::optional<Index>>;  // seed, repeat
  std::map<std::pair<Replicate, std::optional<Index>>, const Shown*> found;
  std::set<Replicate> replicates;
  std::set<std::optional<Index>> folds;
  for (const Shown* trial : row.finished) {
    const Replicate replicate{trial->head.seed, trial->head.repeat};
    found[{replicate, trial->head.fold}] = trial;
    replicates.insert(replicate);
    folds.insert(trial->head.fold);
  }
  FoldPlan plan;
  std::vector<TrialFile> files;
  for (const std::optional<Index> fold : folds)
    if (fold) plan.trials.push_back(*fold);
  if (!plan.trials.empty()) plan.count = n_folds(row.made_of);
  for (const Replicate& replicate : replicates)
    for (const std::optional<Index> fold : folds) {
      TrialFile& file = files.emplace_back();
      file.seed = replicate.first;
      file.repeat = replicate.second;
      file.fold = fold;
      const auto trial = found.find({replicate, fold});
      if (trial == found.end()) continue;
      file.path = trial->second->path;
      file.head = trial->second->head;
    }
  return outcome_of_row(RowRuns(label, plan, files), metrics);
}

// A line a row; of the metrics those of the test split that a row has.
std::string rows_text(const std::vector<ShownRow>& rows, std::size_t width) {
  std::vector<std::string> metrics;
  const auto add = [&metrics](const std::string& path) {
    if (std::find(metrics.begin(), metrics.end(), path) == metrics.end()) metrics.push_back(path);
  };
  bool folds = false;
  for (const ShownRow& row : rows) {
    folds = folds || n_folds(row.made_of) > 0;
    for (const Shown* trial : row.finished)
      for (const FinalMetric& m : trial->head.final)
        if (m.split == "test") add("test/" + m.name);
  }
  const std::size_t n_recorded = metrics.size();
  if (folds)  // their pool may have what no single one has
    for (const MetricInfo& m : classification_metrics()) add("test/" + m.name);
  std::vector<RowOutcome> outcomes;
  std::set<std::string> names;
  for (const ShownRow& row : rows) {
    names.insert(row.row);
    outcomes.push_back(outcome_of(row, label_of(row, rows), metrics));
  }
  const auto had = [&](const std::string& path) {
    return std::any_of(outcomes.begin(), outcomes.end(), [&](const RowOutcome& outcome) {
      return std::any_of(outcome.metrics.begin(), outcome.metrics.end(),
                         [&](const auto& m) { return m.path == path; });
    });
  };
  metrics.erase(std::remove_if(metrics.begin() + static_cast<std::ptrdiff_t>(n_recorded),
                               metrics.end(), [&](const std::string& path) { return !had(path); }),
                metrics.end());
  std::string text = closing_table(outcomes, metrics, width);
  if (names.size() == rows.size()) return text;
  return text +
         wrap(
             "trials of one row were made with different configs or data: each has a line of its "
             "own, and nothing is averaged over them",
             width) +
         "\n";
}

void show_study(const Session& session, const std::string& path) {
  const Console& console = session.console;
  const StudyFolder folder(path);
  std::vector<Shown> finished;
  for (const std::string& stem : folder.finished())
    finished.push_back({folder.run_path(stem), folder.head(stem)});
  const StudyState state = state_of(folder, session.kinds, Reading::files);
  const Output& out = console.out;
  if (console.json) {
    Json json = Json::List{};
    for (const Shown& trial : finished) json.push(head_json(trial.head));
    for (const TrialState& t : state.trials)
      if (t.state == "waiting" || t.state == "running" || t.state == "stopped")
        json.push(Json().set("trial", t.name).set("status", t.state));
    out.print(json.dump() + "\n");
    return;
  }
  std::string text = fmt::format("{}: {}\n", out.bold(path), state.counts_text());
  if (!finished.empty()) {
    const std::vector<ShownRow> rows = rows_of(finished);
    const std::string first = rows.front().finished.front()->path;
    const RunFile run = read_run_file(first);
    text += "\n" + rows_text(rows, out.width) + "\n";
    text += fmt::format("{}, as an example:\n\n{}\n", first,
                        curves_text(run.content.metrics, out.width));
    text += config_text(run.trial, metadata_beside(first), out.width);
  }
  out.print(text);
}

}  // namespace

ExitCode verb_show(Session& session) {
  const std::string& path = session.command.operands.front();
  if (path.ends_with(".h5")) {
    show_run(session.console, path);
  } else {
    show_study(session, find_study(path, "results"));
  }
  return ExitCode::ok;
}

}  // namespace attune
