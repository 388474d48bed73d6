#include <algorithm>
#include <map>

#include "base/error.h"
#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/quantity.h"
#include "base/text.h"
#include "cli/find_study.h"
#include "cli/session.h"
#include "cli/table.h"
#include "storage/metadata.h"
#include "storage/run_file.h"
#include "storage/study_folder.h"

namespace attune {
namespace {

using Align = Table::Align;

// The metadata beside a run file; null when a run file travels alone.
Json metadata_of(const std::string& run_path) {
  const std::string path =
      run_path.substr(0, run_path.size() - std::string_view(".h5").size()) + ".meta.json";
  return file_exists(path) ? read_metadata(path) : Json();
}

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
  json.set("status", head.status).set("steps", head.steps).set("identity", head.identity);
  json.set("data_sha256", head.data_sha256).set("build_id", head.build_id);
  return json.set("final", std::move(final));
}

// What HDF5 keeps without a checksum (finals, the config) is told by the metadata's.
void check_bytes(const std::string& path, const Json& metadata) {
  const std::string recorded = text_at(metadata, {"run_file_sha256"});
  if (recorded.empty()) return;
  const std::string found = sha256(read_file(path));
  ATTUNE_CHECK(found == recorded, DamagedError,
               "{}: its SHA-256 is {:.8}…, and {:.8}… when it was written: the file is damaged. "
               "Remove it, and the same command trains this trial again",
               path, found, recorded);
}

void show_run(const Console& console, const std::string& path) {
  const RunFile run = read_run_file(path);
  const Json metadata = metadata_of(path);
  check_bytes(path, metadata);
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
  std::string text =
      fmt::format("{}: {}, seed {}, {} after {} steps of {}\n\n", out.bold(head.name), head.row,
                  head.seed, head.status, head.steps, head.kind);
  text += provenance_text(head, metadata, out.width) + "\n";
  text += final_text(head.final, out.width) + "\n";
  text += curves_text(run.content.metrics) + "\n";
  text += config_text(run.trial, metadata, out.width);
  out.print(text);
}

// Rows in the order in which they first come, their seeds' finals side by side.
std::vector<RowSummary> rows_of(const std::vector<RunHead>& heads) {
  std::vector<RowSummary> rows;
  for (const RunHead& head : heads) {
    auto row = std::find_if(rows.begin(), rows.end(),
                            [&head](const RowSummary& r) { return r.row == head.row; });
    if (row == rows.end()) row = rows.insert(rows.end(), RowSummary{head.row, 0, 0, {}});
    if (head.status == "diverged") {
      ++row->n_diverged;
      continue;
    }
    for (const FinalMetric& m : head.final) {
      const std::string name = m.split + "/" + m.name;
      auto metric = std::find_if(row->metrics.begin(), row->metrics.end(),
                                 [&name](const auto& entry) { return entry.first == name; });
      if (metric == row->metrics.end())
        metric = row->metrics.insert(row->metrics.end(), {name, {}});
      metric->second.push_back(m.value);
    }
  }
  return rows;
}

void show_study(const Console& console, const std::string& path) {
  const StudyFolder folder(path);
  std::vector<RunHead> heads;
  for (const std::string& stem : folder.finished())
    heads.push_back(read_run_head(folder.run_path(stem)));
  const Output& out = console.out;
  if (console.json) {
    Json json = Json::List{};
    for (const RunHead& head : heads) json.push(head_json(head));
    out.print(json.dump() + "\n");
    return;
  }
  std::string text = fmt::format("{}: {} finished, {} unfinished\n", out.bold(path), heads.size(),
                                 folder.unfinished().size());
  if (!heads.empty()) {
    const std::string first = folder.run_path(folder.finished().front());
    const RunFile run = read_run_file(first);
    text += "\n" + closing_table(rows_of(heads), out.width) + "\n";
    text += fmt::format("{}, as an example:\n\n{}\n", first, curves_text(run.content.metrics));
    text += config_text(run.trial, metadata_of(first), out.width);
  }
  out.print(text);
}

}  // namespace

ExitCode verb_show(Session& session) {
  const std::string& path = session.command.operands.front();
  if (path.ends_with(".h5")) {
    show_run(session.console, path);
  } else {
    show_study(session.console, find_study(path, "results"));
  }
  return ExitCode::ok;
}

}  // namespace attune
