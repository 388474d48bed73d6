#include "base/json.h"
#include "base/text.h"
#include "cli/report_text.h"
#include "cli/table.h"

namespace attune {
namespace {

std::string cell_text(const std::optional<MeanEstimate>& cell) {
  if (!cell) return "";
  const EstimateText text = estimate_text(cell->mean, cell->interval);
  return text.mean + (text.interval.empty() ? "" : " " + text.interval);
}

Json pivot_json(const PivotTable& table) {
  Json list = Json::List{};
  for (std::size_t r = 0; r < table.rows.size(); ++r)
    for (std::size_t c = 0; c < table.columns.size(); ++c) {
      const auto& cell = table.cells[r][c];
      if (!cell) continue;
      Json json;
      json.set("row", table.rows[r]).set("column", table.columns[c]).set("n", cell->n);
      json.set("mean", cell->mean);
      if (cell->interval) json.set("low", cell->interval->low).set("high", cell->interval->high);
      list.push(std::move(json));
    }
  Json json;
  return json.set("rows", table.of.rows)
      .set("columns", table.of.columns)
      .set("metric", table.of.cells)
      .set("averaged_over", table.averaged)
      .set("cells", std::move(list));
}

}  // namespace

std::string pivot_text(const PivotTable& table, const std::string& form, std::size_t width) {
  if (form == "json") return pivot_json(table).dump() + "\n";
  std::vector<std::vector<std::string>> lines = {{table.of.rows}};
  for (const std::string& column : table.columns)
    lines.front().push_back(
        table.of.columns.empty() ? column : fmt::format("{}={}", table.of.columns, column));
  for (std::size_t r = 0; r < table.rows.size(); ++r) {
    lines.push_back({table.rows[r]});
    for (const auto& cell : table.cells[r])
      lines.back().push_back(form == "csv" ? (cell ? fmt::format("{}", cell->mean) : "")
                                           : cell_text(cell));
  }
  const std::string caption =
      fmt::format("Cells: {}, mean and 95 % Student-t interval over seeds{}.", table.of.cells,
                  table.averaged.empty() ? "" : ", each a mean over " + join(table.averaged));
  if (form == "text") {
    std::vector<Table::Column> columns;
    for (const std::string& head : lines.front())
      columns.push_back({head, columns.empty() ? Table::Align::left : Table::Align::right});
    Table text(columns);
    for (std::size_t r = 1; r < lines.size(); ++r) text.row(lines[r]);
    return text.text(width) + wrap(caption, width) + "\n";
  }
  std::string text;
  for (std::size_t r = 0; r < lines.size(); ++r) {
    const std::string separator = form == "csv" ? "," : form == "tex" ? " & " : " | ";
    const std::string line = join(lines[r], separator);
    text += form == "md" ? "| " + line + " |\n" : form == "tex" ? line + " \\\\\n" : line + "\n";
    if (r > 0 || form == "csv") continue;
    if (form == "tex") {
      text += "\\midrule\n";
    } else {
      for (std::size_t c = 0; c < lines[r].size(); ++c) text += "|---";
      text += "|\n";
    }
  }
  if (form == "tex")
    return "\\begin{tabular}{l" + std::string(table.columns.size(), 'r') + "}\n\\toprule\n" + text +
           "\\bottomrule\n\\end{tabular}\n";
  return text + (form == "md" ? "\n" + caption + "\n" : "");
}

}  // namespace attune
