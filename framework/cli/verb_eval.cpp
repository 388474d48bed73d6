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

// The config that the run was made with, bound again.
Study study_of(const RunFile& run, const std::string& path, std::span<const Kind> kinds) {
  LoadOptions load;
  load.path = path;
  load.text = study_text(run);
  return load_study(load, kinds);
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

// What a model says of images that it learnt from is no measure of it.
std::string own_data_text(const RunFile& run, const EvalContent& content) {
  if (run.head.data_sha256 != content.data_sha256) return "";
  return "\nThese images are the run's own data: it was trained on some of them.\n"
         "`attune show` has the metrics of its test split.\n";
}

// Writing over what is read would destroy it.
void check_out(const std::string& out, const std::vector<std::string>& inputs) {
  for (const std::string& input : inputs) {
    std::error_code none;  // a file that is not there is no input
    ATTUNE_CHECK(!std::filesystem::equivalent(out, input, none), ConfigError,
                 "-o {} is {}, which is read; name another file", out, input);
  }
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
  const Study study = study_of(run, run_path, session.kinds);
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
  if (console.json) {
    console.out.print(content_json(content, confusion).dump() + "\n");
    return ExitCode::ok;
  }
  const Output& screen = console.out;
  std::string text = fmt::format("{}: {} images by {}, parameters '{}' of step {}\n\n",
                                 screen.bold(data), content.predictions.target.size(),
                                 run.trial.stem(), content.parameters, content.step);
  text += metrics_text(content, screen.width) + "\n";
  text += confusion_text(content, confusion, screen.width) + own_data_text(run, content);
  screen.print(text);
  return ExitCode::ok;
}

}  // namespace attune
