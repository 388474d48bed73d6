#include "cli/table.h"

#include <algorithm>
#include <cmath>

#include "base/text.h"

namespace attune {

void Table::row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::text(std::size_t width) const {
  std::vector<std::size_t> widths;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(display_width(columns_[c].head));
    for (const auto& cells : rows_) widths[c] = std::max(widths[c], display_width(cells[c]));
  }
  std::size_t last_column = 0;
  for (std::size_t c = 0; c + 1 < widths.size(); ++c) last_column += widths[c] + 2;
  constexpr std::size_t kLeast = 20;
  const std::size_t room = std::max(kLeast, width > last_column ? width - last_column : 0);

  const auto line = [&](const auto& cell) {
    std::string out;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      const bool last = c + 1 == columns_.size(), left = columns_[c].align == Align::left;
      std::string text = cell(c);
      if (last && left && display_width(text) > room) text = hang(wrap(text, room), last_column);
      out += left ? pad_right(text, widths[c]) : pad_left(text, widths[c]);
      if (!last) out += "  ";
    }
    return out.substr(0, out.find_last_not_of(' ') + 1) + "\n";
  };
  const bool headed = std::any_of(columns_.begin(), columns_.end(),
                                  [](const Column& c) { return !c.head.empty(); });
  std::string text = headed ? line([&](std::size_t c) { return columns_[c].head; }) : "";
  for (const auto& cells : rows_) text += line([&](std::size_t c) { return cells[c]; });
  return text;
}

std::string short_number(double value) { return fmt::format("{:.4g}", value); }

EstimateText estimate_text(const MeanEstimate& estimate) {
  if (!estimate.interval) return {short_number(estimate.mean), ""};
  const auto [low, high] = *estimate.interval;
  const double half = (high - low) / 2;
  if (!(half > 0))
    return {short_number(estimate.mean), fmt::format("[{0}, {0}]", short_number(low))};
  // Two digits of the half-width; far from 1, powers of ten instead.
  const int decimals = 1 - static_cast<int>(std::floor(std::log10(half)));
  if (decimals > 6 || std::abs(estimate.mean) >= 1e7) {
    const auto scientific = [](double x) { return fmt::format("{:.3e}", x); };
    return {scientific(estimate.mean), fmt::format("[{}, {}]", scientific(low), scientific(high))};
  }
  const int shown = std::clamp(decimals, 0, 6);
  return {fmt::format("{:.{}f}", estimate.mean, shown),
          fmt::format("[{:.{}f}, {:.{}f}]", low, shown, high, shown)};
}

std::string sparkline(const std::vector<double>& values, std::size_t columns) {
  static const char* const kBars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
  const std::size_t n = std::min(columns, values.size());
  std::vector<double> means;
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0;
    std::size_t count = 0;
    for (std::size_t k = i * values.size() / n; k < (i + 1) * values.size() / n; ++k)
      if (std::isfinite(values[k])) sum += values[k], ++count;
    means.push_back(count ? sum / static_cast<double>(count) : std::nan(""));
  }
  double low = INFINITY, high = -INFINITY;
  for (const double m : means)
    if (std::isfinite(m)) low = std::min(low, m), high = std::max(high, m);
  std::string text;
  for (const double m : means) {
    const double height = high > low ? (m - low) / (high - low) : 0.5;
    text += std::isfinite(m) ? kBars[std::min(7, static_cast<int>(height * 8))] : " ";
  }
  return text;
}

std::string closing_table(const std::vector<RowSummary>& rows, std::size_t width) {
  using Align = Table::Align;
  Table table({{"row", Align::left},
               {"n", Align::right},
               {"metric", Align::left},
               {"mean", Align::right},
               {"95 % interval", Align::left}});
  std::vector<std::string> missing;
  for (const RowSummary& row : rows) {
    std::string name = row.row;
    for (const auto& [metric, values] : row.metrics) {
      if (values.empty()) continue;
      const MeanEstimate estimate = mean_with_t_interval(values);
      const EstimateText shown = estimate_text(estimate);
      table.row({name, std::to_string(estimate.n), metric, shown.mean, shown.interval});
      name.clear();  // once a row is enough
    }
    if (row.n_diverged) missing.push_back(fmt::format("{}: {} diverged", row.row, row.n_diverged));
    if (row.n_missing)
      missing.push_back(fmt::format("{}: {} not finished", row.row, row.n_missing));
  }
  std::string text = table.empty() ? "" : table.text(width) + "Student-t intervals over n seeds.\n";
  if (!missing.empty())
    text += wrap("Not in these means: " + join(missing, "; ") + ".", width) + "\n";
  return text;
}

}  // namespace attune
