#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/build_facts.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "cli/table.h"
#include "storage/eval_file.h"
#include "storage/metadata.h"
#include "study/outcome.h"
#include "study/study_config.h"
#include "train/evaluate.h"

namespace attune {
namespace {

using Confusion = std::vector<std::vector<Index>>;  // [class][taken for]

// The config that the run was made with, bound again. It was accepted then, and stands in the file
// twice, as text and as attributes: what is refused now, or differs, is damage.
Study study_of(const RunFile& run, std::span<const Kind> kinds) {
  LoadOptions load;
  load.path = run.path;
  load.text = study_text(run);
  const auto damaged = [&run](std::string_view why) {
    return DamagedError(fmt::format("{}: its /config/resolved_yaml {}", run.path, why));
  };
  Study study;
  try {
    study = load_study(load, kinds);
  } catch (const ConfigError& error) {
    throw damaged(
        fmt::format("is not what this version can read: the file is damaged, or of "
                    "another version.\n{}",
                    error.what()));
  }
  Trial read;
  read.config = study.reference().config();
  const std::vector<ConfigLeaf> leaves = read.recorded_config();
  for (const ConfigLeaf& leaf : run.trial.config) {
    const auto same = std::find_if(leaves.begin(), leaves.end(),
                                   [&](const ConfigLeaf& l) { return l.key == leaf.key; });
    const std::string text = same == leaves.end() ? "absent" : to_text(same->value);
    if (text != to_text(leaf.value))
      throw damaged(fmt::format("says {}={}, its attribute {}: the file is damaged", leaf.key, text,
                                to_text(leaf.value)));
  }
  return study;
}

void measure(EvalContent& content) {
  const Predictions& p = content.predictions;
  const std::vector<PooledPredictions> one = {{scored(p), p.example, p.group}};
  for (const MetricInfo& info : classification_metrics()) {
    const auto estimate = crossed_estimate(info.name, one);
    if (!estimate) continue;  // data that cannot have it, such as the AUC of one class
    content.n_groups = estimate->n_groups;
    EvalMetric m{{"eval", info.name, estimate->value, info.units, info.goal, ""}, {}, {}};
    if (estimate->interval) {
      m.low = estimate->interval->low;
      m.high = estimate->interval->high;
    }
    content.metrics.push_back(std::move(m));
  }
}

Confusion confusion_of(const Predictions& p) {
  const auto n = static_cast<std::size_t>(p.n_outputs);
  Confusion counts(n, std::vector<Index>(n, 0));
  for (std::size_t i = 0; i < p.target.size(); ++i) {
    const float* logits = p.output.data() + i * n;
    const auto taken = static_cast<std::size_t>(std::max_element(logits, logits + n) - logits);
    counts[static_cast<std::size_t>(p.target[i])][taken] += 1;
  }
  return counts;
}

std::string metrics_text(const EvalContent& content, std::size_t width) {
  Table table({{"metric"}, {"value", Table::Align::right}, {"95 % interval"}});
  bool any = false;
  for (const EvalMetric& m : content.metrics) {
    const auto interval =
        m.low && m.high ? std::optional(Interval{*m.low, *m.high}) : std::optional<Interval>();
    const EstimateText shown = estimate_text(m.metric.value, interval);
    table.row({m.metric.name, shown.mean, shown.interval});
    any = any || interval;
  }
  return table.text(width) +
         (any ? fmt::format("Intervals for new groups, from the {} here, given this model.\n",
                            content.n_groups)
              : "One group, or classes in one group alone, say nothing of other groups.\n");
}

std::string confusion_text(const EvalContent& content, const Confusion& confusion,
                           std::size_t width) {
  std::vector<Table::Column> columns = {{"class"}};
  for (const std::string& name : content.class_names)
    columns.push_back({"taken for " + name, Table::Align::right});
  Table table(std::move(columns));
  for (std::size_t c = 0; c < confusion.size(); ++c) {
    std::vector<std::string> cells = {content.class_names[c]};
    for (const Index n : confusion[c]) cells.push_back(std::to_string(n));
    table.row(std::move(cells));
  }
  return table.text(width);
}

Json content_json(const EvalContent& content, const Confusion& confusion) {
  Json metrics = Json::Map{};
  for (const EvalMetric& m : content.metrics) {
    Json metric;
    metric.set("value", m.metric.value);
    if (m.low && m.high) metric.set("low", *m.low).set("high", *m.high);
    metrics.set(m.metric.name, std::move(metric));
  }
  Json rows = Json::List{};
  for (const std::vector<Index>& row : confusion)
    rows.push(Json(Json::List(row.begin(), row.end())));
  Json json;
  json.set("study", content.study).set("row", content.row).set("identity", content.identity);
  json.set("run_sha256", content.run_sha256).set("data_sha256", content.data_sha256);
  json.set("parameters", content.parameters).set("step", content.step);
  json.set("examples", static_cast<Index>(content.predictions.target.size()));
  json.set("groups", content.n_groups).set("class_names", content.class_names);
  return json.set("metrics", std::move(metrics)).set("confusion", std::move(rows));
}

// What can be known of -o before anything is computed. Writing over what is read would destroy it.
void check_out(const std::string& out, const std::vector<std::string>& inputs) {
  namespace fs = std::filesystem;
  std::error_code none;  // what is not there is no folder, and no input
  const fs::path folder = fs::absolute(out).parent_path();
  ATTUNE_CHECK(!out.ends_with('/') && !fs::is_directory(out, none), ConfigError,
               "-o {} is a folder; name a file in it, such as {}", out,
               (fs::path(out) / "eval.h5").string());
  ATTUNE_CHECK(!fs::exists(out, none) || fs::is_regular_file(out, none), ConfigError,
               "-o {} is no file that could be replaced; name another one", out);
  ATTUNE_CHECK(fs::is_directory(folder, none), ConfigError,
               "-o {}: {} is no folder; make it first, with mkdir -p {}", out, folder.string(),
               fs::path(out).parent_path().string());
  ATTUNE_CHECK(::access(folder.c_str(), W_OK) == 0, ConfigError,
               "-o {}: you may not write to {}; name a file elsewhere", out, folder.string());
  for (const std::string& input : inputs)
    ATTUNE_CHECK(!fs::equivalent(out, input, none), ConfigError,
                 "-o {} is {}, which is read; name another file", out, input);
}

}  // namespace

ExitCode verb_eval(Session& session) {
  const Console& console = session.console;
  const std::string &run_path = session.command.operands[0], &data = session.command.operands[1];
  const auto out = session.command.text("out");
  if (out) check_out(*out, {run_path, data});

  const RunFile run = read_run_file(run_path);
  EvalContent content;
  content.run_sha256 = checked_sha256(run_path, metadata_beside(run_path));
  const Study study = study_of(run, session.kinds);
  const Kind& kind = study.reference().kind();
  ATTUNE_CHECK(kind.evaluate, DataError, "{}: a run of kind {} keeps no model that could be used",
               run_path, kind.name);
  kernels::Threads threads(session.command.threads());
  Evaluation found = kind.evaluate(run, study.reference().kind_options(), data, threads);

  content.study = run.head.name;
  content.row = run.head.row;
  content.identity = run.head.identity;
  content.data_sha256 = std::move(found.data_sha256);
  content.parameters = std::move(found.parameters);
  content.step = found.step;
  content.class_names = run.content.class_names;
  content.predictions = std::move(found.predictions);
  measure(content);
  const Confusion confusion = confusion_of(content.predictions);
  if (out) write_atomically(*out, eval_file_bytes(content, build_facts().build_id));
  // What a model says of images that it learnt from is no measure of it.
  const bool own_data = run.head.data_sha256 == content.data_sha256;
  if (console.json) {
    Json json = content_json(content, confusion);
    console.out.print(json.set("own_data", own_data).dump() + "\n");
    return ExitCode::ok;
  }
  const Output& screen = console.out;
  std::string text = fmt::format("{}: {} images by {}, parameters '{}' of step {}\n\n",
                                 screen.bold(data), content.predictions.target.size(),
                                 run.trial.stem(), content.parameters, content.step);
  text += metrics_text(content, screen.width) + "\n";
  text += confusion_text(content, confusion, screen.width);
  if (own_data && !console.quiet)
    text +=
        "\nThese images are the run's own data: it was trained on some of them.\n"
        "`attune show` has the metrics of its test split.\n";
  screen.print(text);
  return ExitCode::ok;
}

}  // namespace attune
