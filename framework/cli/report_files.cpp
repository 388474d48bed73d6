#include "cli/report_files.h"

#include <cctype>

#include "base/files.h"
#include "base/text.h"
#include "cli/report_text.h"
#include "cli/table.h"

namespace attune {
namespace {

std::string over_name(MetricEstimate::Over over) {
  using Over = MetricEstimate::Over;
  return over == Over::groups             ? "groups"
         : over == Over::seeds_and_groups ? "seeds and groups"
                                          : "seeds";
}

Json bounds(const std::optional<Interval>& interval) {
  return interval ? Json(Json::List{interval->low, interval->high}) : Json();
}

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

Json judgement_json(const Judgement& j) {
  Json json;
  json.set("estimate", or_null(j.estimate)).set("interval", bounds(j.interval));
  json.set("level", j.level).set("interval95", bounds(j.interval95)).set("over", j.over);
  json.set("n", j.n).set("seeds", j.seeds).set("values", j.values);
  if (j.group_share) json.set("variance_of_groups", *j.group_share);
  if (j.correlation) json.set("correlation", *j.correlation);
  return json;
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_number(const std::optional<double>& value) {
  return value ? fmt::format("{}", *value) : "";
}

std::string tex_escaped(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (std::string_view("&%$#_{}").find(c) != std::string_view::npos) {
      result += std::string("\\") + c;
    } else if (c == '\\') {
      result += "\\textbackslash{}";
    } else if (c == '~' || c == '^') {
      result += std::string("\\") + c + "{}";
    } else if (c == '<' || c == '>') {
      result += std::string("$") + c + "$";
    } else {
      result += c;
    }
  }
  return result;
}

std::string tex_value(double mean, const std::optional<Interval>& interval) {
  const EstimateText text = estimate_text(mean, interval);
  return "$" + text.mean + "$ & " + (text.interval.empty() ? "" : "$" + text.interval + "$");
}

std::string tabular(const std::string& columns, const std::string& head, const std::string& body) {
  return "\\begin{tabular}{" + columns + "}\n\\toprule\n" + head + " \\\\\n\\midrule\n" + body +
         "\\bottomrule\n\\end{tabular}\n";
}

// "BeatsPixels" of beats_pixels: TeX's names have letters alone.
std::string macro_name(const std::string& id) {
  static const char* const kDigits[] = {"Zero", "One", "Two",   "Three", "Four",
                                        "Five", "Six", "Seven", "Eight", "Nine"};
  std::string name;
  bool upper = true;
  for (const char c : id) {
    if (c >= '0' && c <= '9') {
      name += kDigits[c - '0'];
      upper = true;
    } else if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
      name += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
      upper = false;
    } else {
      upper = true;
    }
  }
  return name;
}

}  // namespace

Json metric_json(const RowOutcome& row, const RowOutcome::Metric& metric) {
  const MetricEstimate& estimate = metric.estimate;
  Json entry;
  entry.set("row", row.row).set("metric", metric.path).set("n", estimate.n_seeds);
  entry.set("mean", estimate.mean);
  if (estimate.interval)
    entry.set("low", estimate.interval->low)
        .set("high", estimate.interval->high)
        .set("interval_over", over_name(estimate.over));
  if (estimate.group_share) entry.set("variance_of_groups", *estimate.group_share);
  entry.set("seeds", row.seeds).set("values", metric.values);
  if (row.folds.trials.empty()) return entry;
  Json by_fold = Json::List{};
  for (const auto& of_seed : metric.by_fold) {
    Json values = Json::List{};  // null where a fold cannot have it
    for (const auto& value : of_seed) values.push(value ? Json(*value) : Json());
    by_fold.push(std::move(values));
  }
  Json folds;
  folds.set("count", row.folds.count).set("trials", row.folds.trials);
  return entry.set("folds", std::move(folds)).set("by_fold", std::move(by_fold));
}

Json claims_json(const StudyReport& report) {
  Json list = Json::List{};
  for (const StudyReport::JudgedClaim& each : report.claims) {
    const Claim& claim = each.claim;
    Json json;
    json.set("id", claim.id).set("says", claim.says).set("source", claim.source);
    json.set("kind", claim.kind_name());
    json.set("estimand", claim.estimand_text).set("expect", claim.expect_text);
    json.set("verdict", name_of(each.judgement.verdict)).set("reason", each.judgement.reason);
    const Json values = judgement_json(each.judgement);
    for (const auto& [key, value] : *values.map()) json.set(key, value);
    json.set("family", each.family).set("known", claim.known).set("as_known", each.as_known());
    Json registered;
    registered.set("finished", each.registration.finished)
        .set("planned", each.registration.planned)
        .set("before_data", each.registration.before_data())
        .set("words", each.registration.words());
    if (!each.registration.earlier.empty()) registered.set("earlier", each.registration.earlier);
    json.set("registered", std::move(registered)).set("remarks", each.judgement.remarks);
    list.push(std::move(json));
  }
  return list;
}

Json comparisons_json(const std::vector<Comparison>& comparisons) {
  Json list = Json::List{};
  for (const Comparison& c : comparisons) {
    const Judgement& j = c.difference;
    Json json;
    json.set("row", c.row).set("against", c.against).set("metric", c.metric).set("n", j.n);
    json.set("difference", or_null(j.estimate));
    json.set("low", j.interval95 ? Json(j.interval95->low) : Json());
    json.set("high", j.interval95 ? Json(j.interval95->high) : Json());
    json.set("interval_over", j.over).set("p", or_null(j.p)).set("p_holm", or_null(c.p_holm));
    json.set("correlation", or_null(j.correlation)).set("word", c.word);
    if (!j.reason.empty()) json.set("reason", j.reason);
    json.set("seeds", j.seeds).set("values", j.values);
    list.push(std::move(json));
  }
  return list;
}

Json report_json(const StudyReport& report) {
  Json json;
  json.set("schema", "attune.report@1").set("study", report.study).set("folder", report.folder);
  json.set("trials", report.n_trials).set("finished", report.n_finished);
  json.set("diverged", report.n_diverged).set("missing", report.n_trials - report.n_finished);
  json.set("builds", report.n_builds).set("alpha", report.alpha).set("metrics", report.shown);
  Json rows = Json::List{};
  for (const RowOutcome& row : report.rows) {
    for (const RowOutcome::Metric& metric : row.metrics) rows.push(metric_json(row, metric));
    // Nothing is computed from what is left of a row.
    if (row.n_missing > 0) {
      Json entry;
      rows.push(entry.set("row", row.row).set("n", 0).set("missing", row.n_missing));
    }
  }
  json.set("rows", std::move(rows));
  json.set("comparisons", comparisons_json(report.comparisons));
  return json.set("claims", claims_json(report));
}

std::string report_csv(const StudyReport& report) {
  std::string text = "row,metric,n,mean,low,high,interval_over,missing,diverged\n";
  for (const RowOutcome& row : report.rows) {
    for (const RowOutcome::Metric& m : row.metrics) {
      const auto& interval = m.estimate.interval;
      text += fmt::format("{},{},{},{},{},{},{},0,{}\n", csv_cell(row.row), m.path,
                          m.estimate.n_seeds, m.estimate.mean,
                          csv_number(interval ? std::optional(interval->low) : std::nullopt),
                          csv_number(interval ? std::optional(interval->high) : std::nullopt),
                          interval ? over_name(m.estimate.over) : "", row.n_diverged);
    }
    if (row.n_missing > 0)
      text += fmt::format("{},,0,,,,,{},{}\n", csv_cell(row.row), row.n_missing, row.n_diverged);
  }
  return text;
}

std::string comparisons_csv(const std::vector<Comparison>& comparisons) {
  std::string text = "row,against,metric,n,difference,low,high,p,p_holm,correlation,word\n";
  for (const Comparison& c : comparisons) {
    const Judgement& j = c.difference;
    text += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\n", csv_cell(c.row), csv_cell(c.against),
                        c.metric, j.n, csv_number(j.estimate),
                        csv_number(j.interval95 ? std::optional(j.interval95->low) : std::nullopt),
                        csv_number(j.interval95 ? std::optional(j.interval95->high) : std::nullopt),
                        csv_number(j.p), csv_number(c.p_holm), csv_number(j.correlation), c.word);
  }
  return text;
}

std::string report_tex(const StudyReport& report) {
  const bool compares = !report.comparisons.empty();
  std::string columns = "lr", head = "row & $n$", body;
  for (const std::string& metric : report.shown) {
    columns += compares ? "rrrrr" : "rr";
    head += " & " + tex_escaped(metric) + " & 95\\,\\% interval";
    if (compares) head += " & difference & 95\\,\\% interval & $p$";
  }
  for (const RowOutcome& row : report.rows) {
    body += tex_escaped(row.row) + " & " +
            (row.n_missing > 0 ? "--" : std::to_string(row.seeds.size()));
    for (const std::string& path : report.shown) {
      std::string value = " & ", difference = " &  & ";
      for (const RowOutcome::Metric& m : row.metrics)
        if (m.path == path) value = tex_value(m.estimate.mean, m.estimate.interval);
      for (const Comparison& c : report.comparisons)
        if (c.row == row.row && c.metric == path && c.difference.estimate)
          difference = tex_value(*c.difference.estimate, c.difference.interval95) + " & " +
                       (c.p_holm ? "$" + p_text(*c.p_holm) + "$" : "");
      body += " & " + value + (compares ? " & " + difference : "");
    }
    body += " \\\\\n";
  }
  return tabular(columns, head, body);
}

std::string comparisons_tex(const std::vector<Comparison>& comparisons) {
  std::string body;
  for (const Comparison& c : comparisons) {
    const Judgement& j = c.difference;
    body += tex_escaped(c.row) + " & " + tex_escaped(c.metric) + " & " + std::to_string(j.n) +
            " & " + (j.estimate ? tex_value(*j.estimate, j.interval95) : std::string(" & ")) +
            " & " + (c.p_holm ? "$" + p_text(*c.p_holm) + "$" : "") + " \\\\\n";
  }
  return tabular("llrrrr", "row & metric & $n$ & difference & 95\\,\\% interval & $p$", body);
}

std::string claims_tex(const StudyReport& report) {
  std::string text;
  for (const StudyReport::JudgedClaim& each : report.claims) {
    const Judgement& j = each.judgement;
    const std::string name = "\\claim" + macro_name(each.claim.id);
    const EstimateText value =
        j.estimate ? estimate_text(*j.estimate, j.interval) : EstimateText{"--", ""};
    const std::string interval = value.interval.empty() ? "--" : "$" + value.interval + "$";
    const auto define = [&](const std::string& part, const std::string& what) {
      text += "\\newcommand{" + name + part + "}{" + what + "}\n";
    };
    define("Estimate", "$" + value.mean + "$");
    define("Interval", interval);
    define("N", std::to_string(j.n));
    define("Verdict", name_of(j.verdict));
    define("",
           name + "Estimate{} " + name + "Interval{}, $n = " + name + "N$, " + name + "Verdict{}");
  }
  return text;
}

void write_report(const StudyReport& report) {
  const auto write = [&](const char* name, const std::string& text) {
    const std::string path = report.folder + "/" + name;
    if (!file_exists(path) || read_file(path) != text) write_atomically(path, text);
  };
  write("report.md", report_markdown(report));
  write("report.json", report_json(report).dump() + "\n");
  write("table.tex", report_tex(report));
  write("claims.tex", claims_tex(report));
}

}  // namespace attune
