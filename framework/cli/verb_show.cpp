#include <algorithm>
#include <map>
#include <set>

#include "base/error.h"
#include "base/json.h"
#include "base/quantity.h"
#include "base/text.h"
#include "cli/find_study.h"
#include "cli/session.h"
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

std::string curves_text(const std::map<std::string, MetricTable>& metrics) {
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
  return table.text();
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
  text += curves_text(run.content.metrics) + "\n";
  text += config_text(run.trial, metadata, out.width);
  out.print(text);
}

// A finished trial.
struct Shown {
  std::string path;
  RunHead head;
};

// How many folds the study of a run has, by its own config.
Index n_folds(const RunFile& run) {
  for (const ConfigLeaf& leaf : run.trial.config)
    if (leaf.key == "data.split.count")
      if (const auto* count = std::get_if<Index>(&leaf.value)) return *count;
  return 0;
}

// One row's trials: every seed and fold that any of them has, so that one that is not finished is
// missing.
RowOutcome outcome_of(const std::string& row, const std::vector<Shown>& finished, Index n_folds,
                      const std::vector<std::string>& metrics) {
  std::map<std::pair<Index, std::optional<Index>>, std::string> paths;
  std::set<Index> seeds;
  std::set<std::optional<Index>> folds;
  for (const Shown& trial : finished) {
    if (trial.head.row != row) continue;
    paths[{trial.head.seed, trial.head.fold}] = trial.path;
    seeds.insert(trial.head.seed);
    folds.insert(trial.head.fold);
  }
  FoldPlan plan;
  std::vector<TrialFile> files;
  for (const std::optional<Index> fold : folds)
    if (fold) plan.trials.push_back(*fold);
  if (!plan.trials.empty()) plan.count = n_folds;
  for (const Index seed : seeds)
    for (const std::optional<Index> fold : folds) {
      const auto path = paths.find({seed, fold});
      files.push_back(
          {seed, fold, path == paths.end() ? std::nullopt : std::optional(path->second)});
    }
  return outcome_of_row(row, plan, files, metrics);
}

// A line a row, the reference first; of the metrics those of the test split.
std::string rows_text(const std::vector<Shown>& finished, Index n_folds, std::size_t width) {
  std::vector<std::string> rows, metrics;
  const auto add = [](std::vector<std::string>& to, const std::string& what) {
    if (std::find(to.begin(), to.end(), what) == to.end()) to.push_back(what);
  };
  for (const Shown& trial : finished) {
    add(rows, trial.head.row);
    for (const FinalMetric& m : trial.head.final)
      if (m.split == "test") add(metrics, m.split + "/" + m.name);
  }
  const std::size_t n_recorded = metrics.size();
  if (n_folds > 0)  // their pool may have what no single one has
    for (const MetricInfo& m : classification_metrics()) add(metrics, "test/" + m.name);
  std::stable_partition(rows.begin(), rows.end(),
                        [](const std::string& row) { return row == kReferenceRow; });
  std::vector<RowOutcome> outcomes;
  for (const std::string& row : rows)
    outcomes.push_back(outcome_of(row, finished, n_folds, metrics));
  const auto had = [&](const std::string& path) {
    return std::any_of(outcomes.begin(), outcomes.end(), [&](const RowOutcome& outcome) {
      return std::any_of(outcome.metrics.begin(), outcome.metrics.end(),
                         [&](const auto& m) { return m.path == path; });
    });
  };
  metrics.erase(std::remove_if(metrics.begin() + static_cast<std::ptrdiff_t>(n_recorded),
                               metrics.end(), [&](const std::string& path) { return !had(path); }),
                metrics.end());
  return closing_table(outcomes, metrics, width);
}

// " of 32": how many trials the study plans, by its config as it was at the last start; nothing
// where that cannot be read, or had fewer seeds than an earlier one.
std::string planned_text(const StudyFolder& folder, std::size_t finished,
                         std::span<const Kind> kinds) {
  const std::vector<std::string> frozen = folder.frozen();
  if (frozen.empty()) return {};
  LoadOptions load;
  load.path = frozen.back();
  try {
    const Study study = load_study(load, kinds);
    std::size_t n = 0;
    for (const Row& row : study.rows)
      n += study.reference().options->seeds.size() *
           std::max<std::size_t>(1, row.kind_options().folds().trials.size());
    return n < finished ? "" : fmt::format(" of {}", n);
  } catch (const Error&) {
    return {};
  }
}

void show_study(const Session& session, const std::string& path) {
  const Console& console = session.console;
  const StudyFolder folder(path);
  std::vector<Shown> finished;
  for (const std::string& stem : folder.finished())
    finished.push_back({folder.run_path(stem), read_run_head(folder.run_path(stem))});
  const Output& out = console.out;
  if (console.json) {
    Json json = Json::List{};
    for (const Shown& trial : finished) json.push(head_json(trial.head));
    out.print(json.dump() + "\n");
    return;
  }
  std::string text =
      fmt::format("{}: {}{} finished, {} unfinished\n", out.bold(path), finished.size(),
                  planned_text(folder, finished.size(), session.kinds), folder.unfinished().size());
  if (!finished.empty()) {
    const auto reference = std::find_if(finished.begin(), finished.end(), [](const Shown& trial) {
      return trial.head.row == kReferenceRow;
    });
    const std::string first = (reference == finished.end() ? finished.front() : *reference).path;
    const RunFile run = read_run_file(first);
    text += "\n" + rows_text(finished, n_folds(run), out.width) + "\n";
    text += fmt::format("{}, as an example:\n\n{}\n", first, curves_text(run.content.metrics));
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
