#include "cli/report_text.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "cli/table.h"

namespace attune {
namespace {

using Align = Table::Align;

const RowOutcome::Metric* metric_of(const RowOutcome& row, const std::string& path) {
  for (const RowOutcome::Metric& metric : row.metrics)
    if (metric.path == path) return &metric;
  return nullptr;
}

// What a comparison says in the cells of a table: difference, interval, p, r, word.
std::vector<std::string> cells_of(const Comparison& c) {
  const Judgement& j = c.difference;
  if (!j.estimate || !j.interval95) return {"", "", "", "", c.word};
  const EstimateText text = estimate_text(*j.estimate, j.interval95);
  return {text.mean, text.interval, c.p_holm ? p_text(*c.p_holm) : "",
          j.correlation ? fmt::format("{:.2f}", *j.correlation) : "", c.word};
}

std::string difference_table(const std::vector<Comparison>& comparisons, std::size_t width) {
  std::string text;
  std::string metric;
  std::optional<Table> table;
  const auto close = [&] {
    if (table) text += (text.empty() ? "" : "\n") + table->text(width);
  };
  for (const Comparison& c : comparisons) {
    if (!table || c.metric != metric) {
      close();
      metric = c.metric;
      table.emplace(std::vector<Table::Column>{{metric, Align::left},
                                               {"n", Align::right},
                                               {"difference", Align::right},
                                               {"95 % interval", Align::right},
                                               {"p (Holm)", Align::right},
                                               {"r", Align::right},
                                               {"", Align::left}});
    }
    std::vector<std::string> cells = {c.row, std::to_string(c.difference.n)};
    for (std::string& cell : cells_of(c)) cells.push_back(std::move(cell));
    table->row(std::move(cells));
  }
  close();
  return text;
}

std::string difference_caption(const std::string& what) {
  return fmt::format(
      "Differences {}, paired by seed; r is the pairs' correlation. p of no difference, "
      "Holm-corrected over all of them: an exploratory family, of which no claim is made.",
      what);
}

std::string verdict_word(const StudyReport::JudgedClaim& claim, const Output& out) {
  const std::string word = name_of(claim.judgement.verdict);
  return claim.judgement.verdict == Verdict::contradicted ? out.red(word) : out.bold(word);
}

std::string value_text(const StudyReport::JudgedClaim& claim) {
  const Judgement& j = claim.judgement;
  if (!j.estimate && !j.interval) return {};
  if (!j.interval) return j.estimate ? short_number(*j.estimate) : std::string();
  const EstimateText text =
      estimate_text(j.estimate.value_or((j.interval->low + j.interval->high) / 2), j.interval);
  return (j.estimate ? text.mean + " " : "") + text.interval;
}

// What stands behind a verdict, in short phrases.
std::vector<std::string> remarks_of(const StudyReport::JudgedClaim& claim) {
  const Judgement& j = claim.judgement;
  std::vector<std::string> parts;
  if (j.n > 0) parts.push_back(fmt::format("n = {}", j.n));
  if (j.interval && claim.claim.kind() != Claim::Kind::exact) {
    parts.push_back(fmt::format("{} interval over {}", percent_text(j.level), j.over));
    if (j.interval95 && claim.family > 1 && j.estimate)
      parts.push_back("95 %: " + estimate_text(*j.estimate, j.interval95).interval);
  }
  if (j.group_share)
    parts.push_back(fmt::format("{:.0f} % of the variance is groups", 100 * *j.group_share));
  if (j.correlation) parts.push_back(fmt::format("pairs correlate {:.2f}", *j.correlation));
  parts.insert(parts.end(), j.remarks.begin(), j.remarks.end());
  parts.push_back(claim.registration.words() +
                  (claim.registration.before_data() || claim.claim.kind() == Claim::Kind::exact
                       ? ""
                       : ", exploratory"));
  if (!claim.registration.earlier.empty())
    parts.push_back("expected before: " + claim.registration.earlier);
  if (!claim.as_known()) parts.push_back(fmt::format("known: {}", claim.claim.known));
  return parts;
}

// The rows that a text shows, and whether these are all.
std::vector<RowOutcome> shown_rows(const StudyReport& report) {
  if (report.rows.size() <= kMostRows || report.shown.empty()) return report.rows;
  const std::string& metric = report.shown.front();
  const bool least = metric.ends_with("loss") || metric.ends_with("error_rate");
  std::vector<const RowOutcome*> order;
  for (const RowOutcome& row : report.rows) order.push_back(&row);
  const auto value = [&](const RowOutcome* row) {
    const RowOutcome::Metric* m = metric_of(*row, metric);
    return m ? (least ? m->estimate.mean : -m->estimate.mean) : INFINITY;
  };
  std::stable_sort(order.begin(), order.end(),
                   [&](const auto* a, const auto* b) { return value(a) < value(b); });
  std::vector<RowOutcome> rows;
  for (std::size_t i = 0; i < kMostRows; ++i) rows.push_back(*order[i]);
  return rows;
}

std::string escaped(std::string text) {
  std::string result;
  for (const char c : text) result += c == '|' ? std::string("\\|") : std::string(1, c);
  return result;
}

std::string markdown_row(const std::vector<std::string>& cells) {
  std::string line = "|";
  for (const std::string& cell : cells) line += " " + escaped(cell) + " |";
  return line + "\n";
}

std::string markdown_head(const std::vector<std::string>& cells) {
  std::string line = markdown_row(cells) + "|";
  for (std::size_t i = 0; i < cells.size(); ++i) line += i == 0 ? "---|" : "---:|";
  return line + "\n";
}

}  // namespace

std::string p_text(double p) {
  if (p < 0.001) return "< .001";
  std::string text = fmt::format("{:.3f}", p);
  return text.starts_with("0") ? text.substr(1) : text;
}

std::string percent_text(double share) { return fmt::format("{:.4g} %", 100 * share); }

std::string standing_text(const StudyReport& report) {
  std::string text = fmt::format("{} of {} trials finished", report.n_finished, report.n_trials);
  if (report.n_diverged > 0) text += fmt::format(", {} of them diverged", report.n_diverged);
  if (report.n_builds > 1)
    text += fmt::format("; they were made by {} builds, whose numbers may differ", report.n_builds);
  return text;
}

std::string claims_text(const StudyReport& report, const Output& out) {
  std::string text;
  for (const StudyReport::JudgedClaim& each : report.claims) {
    const Claim& claim = each.claim;
    text += fmt::format("{}{}: {}\n", text.empty() ? "" : "\n", claim.id, verdict_word(each, out));
    const auto paragraph = [&](const std::string& words) {
      if (!words.empty()) text += "  " + hang(wrap(words, out.width - 2), 2) + "\n";
    };
    paragraph(claim.says);
    const std::string value = value_text(each);
    paragraph(fmt::format("{}{}; expected {}", claim.estimand.words,
                          value.empty() ? "" : ": " + value, claim.expect.words()));
    std::vector<std::string> remarks = remarks_of(each);
    if (!each.judgement.reason.empty()) remarks.insert(remarks.begin(), each.judgement.reason);
    paragraph(join(remarks, "; "));
  }
  return text;
}

std::string comparisons_text(const std::vector<Comparison>& comparisons, std::size_t width) {
  return difference_table(comparisons, width) +
         wrap(difference_caption("of the first study to the second"), width) + "\n";
}

std::string means_text(const StudyReport& report, const Output& out) {
  const std::vector<RowOutcome> rows = shown_rows(report);
  std::string text = closing_table(rows, report.shown, out.width);
  if (rows.size() < report.rows.size())
    text += wrap(fmt::format("The {} best of {} rows; --format csv has all.", rows.size(),
                             report.rows.size()),
                 out.width) +
            "\n";
  return text;
}

std::string report_text(const StudyReport& report, const Output& out) {
  std::string text = out.bold(report.study) + ": " + standing_text(report) + "\n";
  if (!report.doc.empty()) text += wrap(report.doc, out.width) + "\n";
  if (const std::string table = means_text(report, out); !table.empty()) text += "\n" + table;
  if (!report.comparisons.empty() && report.comparisons.size() <= kMostRows * report.shown.size())
    text += "\n" + difference_table(report.comparisons, out.width) +
            wrap(difference_caption("to " + report.comparisons.front().against), out.width) + "\n";
  if (const std::string claims = claims_text(report, out); !claims.empty()) text += "\n" + claims;
  return text;
}

std::string comparisons_markdown(const std::vector<Comparison>& comparisons) {
  std::string text =
      markdown_head({"row", "metric", "n", "difference", "95 % interval", "p (Holm)", "r", "word"});
  for (const Comparison& c : comparisons) {
    std::vector<std::string> cells = {c.row, c.metric, std::to_string(c.difference.n)};
    for (std::string& cell : cells_of(c)) cells.push_back(std::move(cell));
    text += markdown_row(cells);
  }
  return text;
}

std::string report_markdown(const StudyReport& report) {
  std::string text = fmt::format("# {}\n\n", report.study);
  if (!report.doc.empty()) text += report.doc + "\n\n";
  text += standing_text(report) + ".\n\n";
  std::vector<std::string> head = {"row", "n"};
  for (const std::string& metric : report.shown) {
    head.push_back(metric);
    head.emplace_back("95 % interval");
  }
  text += markdown_head(head);
  for (const RowOutcome& row : report.rows) {
    std::vector<std::string> cells = {
        row.row, row.n_missing > 0 ? fmt::format("{} of {} missing", row.n_missing, row.n_trials)
                                   : std::to_string(row.seeds.size())};
    for (const std::string& path : report.shown) {
      const RowOutcome::Metric* metric = metric_of(row, path);
      const EstimateText value =
          metric ? estimate_text(metric->estimate.mean, metric->estimate.interval)
                 : EstimateText{"", ""};
      cells.push_back(value.mean);
      cells.push_back(value.interval);
    }
    text += markdown_row(cells);
  }
  if (!report.comparisons.empty())
    text += "\n" + difference_caption("to " + report.comparisons.front().against) + "\n\n" +
            comparisons_markdown(report.comparisons);
  if (report.claims.empty()) return text;
  text += "\n" + markdown_head({"claim", "says", "expected", "estimate", "verdict", "why"});
  for (const StudyReport::JudgedClaim& each : report.claims)
    text += markdown_row({each.claim.id, each.claim.says, each.claim.expect.words(),
                          value_text(each), name_of(each.judgement.verdict),
                          join(remarks_of(each), "; ") +
                              (each.judgement.reason.empty() ? "" : "; " + each.judgement.reason)});
  return text;
}

}  // namespace attune
