#include <set>

#include "base/build_facts.h"
#include "base/error.h"
#include "base/json.h"
#include "base/output_file.h"
#include "base/text.h"
#include "cli/session.h"
#include "cli/table.h"
#include "storage/eval_file.h"
#include "storage/metadata.h"
#include "study/outcome.h"
#include "study/recorded_study.h"
#include "train/evaluate.h"

namespace attune {
namespace {

std::string metrics_text(const EvalContent& content, std::size_t width) {
  Table table({{"metric"}, {"value", Table::Align::right}, {"95 % interval"}});
  std::vector<std::string> without;
  for (const EvalMetric& m : content.metrics) {
    const auto interval =
        m.low && m.high ? std::optional(Interval{*m.low, *m.high}) : std::optional<Interval>();
    const EstimateText shown = estimate_text(m.metric.value, interval);
    table.row({m.metric.name, shown.mean, shown.interval});
    if (!interval) without.push_back(m.metric.name);
  }
  if (content.n_groups == 1)
    return table.text(width) + "No intervals: one group says nothing of others.\n";
  std::string text = fmt::format("Intervals for new groups, from the {} here, given this model.",
                                 content.n_groups);
  if (!without.empty())
    text +=
        fmt::format(" None for {}: a class that stands in one group alone says nothing of others.",
                    join(without));
  return table.text(width) + wrap(text, width) + "\n";
}

std::string confusion_text(const EvalContent& content, const std::optional<Confusion>& confusion,
                           std::size_t width) {
  constexpr std::size_t kMostClasses = 20;  // of a text's tokens there are more than a screen has
  if (!confusion) return "Some of the model's outputs are NaN: it takes these for no class.\n";
  if (confusion->size() > kMostClasses)
    return fmt::format(
        "{} classes are too many for a table of what was taken for what: --json has "
        "it.\n",
        confusion->size());
  std::vector<Table::Column> columns = {{"class"}};
  for (const std::string& name : content.class_names)
    columns.push_back({"taken for " + name, Table::Align::right});
  Table table(std::move(columns));
  for (std::size_t c = 0; c < confusion->size(); ++c) {
    std::vector<std::string> cells = {content.class_names[c]};
    for (const Index n : (*confusion)[c]) cells.push_back(std::to_string(n));
    table.row(std::move(cells));
  }
  return table.text(width);
}

Json content_json(const EvalContent& content, const std::optional<Confusion>& confusion) {
  Json metrics = Json::Map{};
  for (const EvalMetric& m : content.metrics) {
    Json metric;
    metric.set("value", m.metric.value);
    if (m.low && m.high) metric.set("low", *m.low).set("high", *m.high);
    metrics.set(m.metric.name, std::move(metric));
  }
  Json rows;  // null where there is none
  if (confusion)
    for (const std::vector<Index>& row : *confusion) rows.push(row);
  Json json;
  json.set("study", content.study).set("row", content.row).set("identity", content.identity);
  json.set("run_sha256", content.run_sha256).set("data_sha256", content.data_sha256);
  json.set("parameters", content.parameters).set("step", content.step);
  json.set("examples", static_cast<Index>(content.predictions.target.size()));
  json.set("groups", content.n_groups).set("class_names", content.class_names);
  return json.set("metrics", std::move(metrics)).set("confusion", std::move(rows));
}

}  // namespace

ExitCode verb_eval(Session& session) {
  const Console& console = session.console;
  const std::string &run_path = session.command.operands[0], &data = session.command.operands[1];
  const auto out = session.command.text("out");
  if (out) check_eval_output(*out, {run_path, data});

  const RunFile run = read_run_file(run_path);
  EvalContent content;
  content.run_sha256 = checked_sha256(run_path, metadata_beside(run_path));
  const Study study = recorded_study(run, session.kinds);
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
  const std::vector<Index>& groups = content.predictions.group;
  content.n_groups = static_cast<Index>(std::set(groups.begin(), groups.end()).size());
  content.metrics = eval_metrics(content.predictions);
  const std::optional<Confusion> confusion = confusion_of(scored(content.predictions));
  if (out) write_output(*out, eval_file_bytes(content, build_facts().build_id));
  // What a model says of what it learnt from is no measure of it.
  const bool own_data = run.head.data_sha256 == content.data_sha256;
  if (console.json) {
    Json json = content_json(content, confusion);
    console.out.print(json.set("own_data", own_data).dump() + "\n");
    return ExitCode::ok;
  }
  const Output& screen = console.out;
  std::string text =
      fmt::format("{}: {} {} by {}, parameters '{}' of step {}\n\n", screen.bold(data),
                  content.predictions.target.size(),
                  content.predictions.position.empty() ? "examples" : "predicted tokens",
                  run.trial.stem(), content.parameters, content.step);
  text += metrics_text(content, screen.width) + "\n";
  text += confusion_text(content, confusion, screen.width);
  if (own_data && !console.quiet)
    text +=
        "\nThis is the run's own data: it was trained on some of it.\n"
        "`attune show` has the metrics of its test split.\n";
  screen.print(text);
  return ExitCode::ok;
}

}  // namespace attune
