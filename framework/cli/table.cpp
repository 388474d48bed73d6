#include "cli/table.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "base/text.h"

namespace attune {

void Table::row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

namespace {

// Lines of at most `width` columns, words that are longer cut.
std::vector<std::string> broken(const std::string& text, std::size_t width) {
  std::vector<std::string> lines;
  if (display_width(text) <= width) return {text};
  const std::string wrapped = wrap(text, width);
  for (const std::string_view words : split(wrapped, '\n')) {
    std::string line;
    for (std::size_t at = 0; at < words.size();) {
      const std::string next(words.substr(at, code_point_bytes(words, at)));
      if (display_width(line + next) > width) lines.push_back(std::exchange(line, ""));
      line += next;
      at += next.size();
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

}  // namespace

std::vector<std::size_t> Table::widths(std::size_t width) const {
  std::vector<std::size_t> widths;
  std::size_t sum = 0;
  for (std::size_t c = 0; c < columns_.size(); ++c) {
    widths.push_back(display_width(columns_[c].head));
    for (const auto& cells : rows_) widths[c] = std::max(widths[c], display_width(cells[c]));
    sum += widths[c] + (c > 0 ? kGap : 0);
  }
  const auto shrink = [&](std::size_t c, std::size_t least) {
    const std::size_t over = sum > width ? sum - width : 0;
    const std::size_t by = std::min(over, widths[c] > least ? widths[c] - least : 0);
    widths[c] -= by;
    sum -= by;
  };
  constexpr std::size_t kLast = 20, kLeast = 10;
  if (!columns_.empty() && columns_.back().align == Align::left)
    shrink(columns_.size() - 1, std::max(kLast, display_width(columns_.back().head)));
  // The widest first, each to the width of the next.
  while (sum > width) {
    std::size_t widest = columns_.size(), next = kLeast;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      if (columns_[c].align != Align::left) continue;
      if (widest == columns_.size() || widths[c] > widths[widest]) widest = c;
    }
    if (widest == columns_.size() || widths[widest] <= kLeast) break;
    for (std::size_t c = 0; c < columns_.size(); ++c)
      if (columns_[c].align == Align::left && widths[c] < widths[widest])
        next = std::max(next, widths[c]);
    shrink(widest, std::min(next, widths[widest] - 1));
  }
  return widths;
}

std::string Table::text(std::size_t width) const {
  const std::vector<std::size_t> widths = this->widths(width);
  const auto row_text = [&](const auto& cell) {
    std::vector<std::vector<std::string>> cells;
    std::size_t height = 1;
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      cells.push_back(broken(cell(c), widths[c]));
      height = std::max(height, cells.back().size());
    }
    std::string out;
    for (std::size_t l = 0; l < height; ++l) {
      std::string line;
      for (std::size_t c = 0; c < columns_.size(); ++c) {
        const std::string text = l < cells[c].size() ? cells[c][l] : "";
        line += columns_[c].align == Align::left ? pad_right(text, widths[c])
                                                 : pad_left(text, widths[c]);
        if (c + 1 < columns_.size()) line += std::string(kGap, ' ');
      }
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
    return out;
  };
  const bool headed = std::any_of(columns_.begin(), columns_.end(),
                                  [](const Column& c) { return !c.head.empty(); });
  std::string text = headed ? row_text([&](std::size_t c) { return columns_[c].head; }) : "";
  for (const auto& cells : rows_) text += row_text([&](std::size_t c) { return cells[c]; });
  return text;
}

std::string short_number(double value) { return fmt::format("{:.4g}", value); }

EstimateText estimate_text(double mean, const std::optional<Interval>& interval) {
  if (!interval) return {short_number(mean), ""};
  const auto [low, high] = *interval;
  const double half = (high - low) / 2;
  if (!(half > 0)) return {short_number(mean), fmt::format("[{0}, {0}]", short_number(low))};
  // Two digits of the half-width; far from 1, powers of ten instead.
  const int decimals = 1 - static_cast<int>(std::floor(std::log10(half)));
  if (decimals > 6 || std::abs(mean) >= 1e7) {
    const auto scientific = [](double x) { return fmt::format("{:.3e}", x); };
    return {scientific(mean), fmt::format("[{}, {}]", scientific(low), scientific(high))};
  }
  const int shown = std::clamp(decimals, 0, 6);
  return {fmt::format("{:.{}f}", mean, shown),
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

namespace {

const RowOutcome::Metric* find_metric(const RowOutcome& row, const std::string& path) {
  for (const RowOutcome::Metric& m : row.metrics)
    if (m.path == path) return &m;
  return nullptr;
}

std::string counted_trials(Index part, Index all) {
  return fmt::format("{} of {} trial{}", part, all, all == 1 ? "" : "s");
}

// "0.742 [0.701, 0.783]"; a dash where there is nothing to show.
std::string metric_cell(const RowOutcome& row, const std::string& path) {
  const RowOutcome::Metric* metric = find_metric(row, path);
  if (!metric) return "-";
  const EstimateText shown = estimate_text(metric->estimate.mean, metric->estimate.interval);
  return shown.mean + (shown.interval.empty() ? "" : " " + shown.interval);
}

constexpr std::size_t kAnyWidth = 10'000;  // nothing is wrapped

std::string means(const std::vector<RowOutcome>& rows, const std::vector<std::string>& metrics) {
  using Align = Table::Align;
  const std::string partial = partial_folds_text(rows.front().folds);
  std::vector<Table::Column> columns = {
      {partial.empty() ? "row" : fmt::format("row ({})", partial), Align::left},
      {"n", Align::right}};
  for (const std::string& path : metrics) columns.push_back({path, Align::left});
  Table table(columns);
  for (const RowOutcome& row : rows) {
    std::vector<std::string> cells = {row.row, std::to_string(row.seeds.size())};
    if (row.n_missing > 0) {
      cells.push_back(counted_trials(row.n_missing, row.n_trials) + " missing");
    } else {
      for (const std::string& path : metrics) cells.push_back(metric_cell(row, path));
    }
    table.row(std::move(cells));
  }
  return table.text(kAnyWidth);
}

std::string values_by_fold(const std::vector<RowOutcome>& rows,
                           const std::vector<std::string>& metrics) {
  using Align = Table::Align;
  std::vector<Table::Column> columns = {
      {"row", Align::left}, {"seed", Align::right}, {"fold", Align::right}};
  for (const std::string& path : metrics) columns.push_back({path, Align::right});
  Table table(columns);
  for (const RowOutcome& row : rows)
    for (std::size_t s = 0; s < row.seeds.size(); ++s)
      for (std::size_t f = 0; f < row.folds.trials.size(); ++f) {
        std::vector<std::string> cells = {row.row, std::to_string(row.seeds[s]),
                                          std::to_string(row.folds.trials[f])};
        for (const std::string& path : metrics) {
          const RowOutcome::Metric* metric = find_metric(row, path);
          const auto value = metric ? metric->by_fold[s][f] : std::nullopt;
          cells.push_back(value ? short_number(*value) : "-");
        }
        table.row(std::move(cells));
      }
  return table.empty() ? "" : table.text(kAnyWidth);
}

using Over = MetricEstimate::Over;

// Cells whose intervals are of one kind.
struct Cell {
  std::string row, path;
};

// " of test/auc, test/loss", and of which row where not of all; empty for all cells.
std::string scope_text(const std::vector<Cell>& cells, const std::map<Over, std::vector<Cell>>& all,
                       const std::vector<std::string>& metrics) {
  if (all.size() == 1) return {};
  std::vector<std::string> names;
  for (const std::string& path : metrics) {
    const auto of_path = [&](const Cell& cell) { return cell.path == path; };
    const auto here = std::count_if(cells.begin(), cells.end(), of_path);
    std::ptrdiff_t everywhere = 0;
    for (const auto& [over, some] : all)
      everywhere += std::count_if(some.begin(), some.end(), of_path);
    if (here > 0 && here == everywhere) names.push_back(path);
    if (here == everywhere) continue;
    for (const Cell& cell : cells)
      if (of_path(cell)) names.push_back(fmt::format("{} in {}", path, cell.row));
  }
  return " of " + join(names);
}

// "test groups", where all cells are of that split.
std::string groups_of(const std::vector<Cell>& cells) {
  const std::string split = cells.front().path.substr(0, cells.front().path.find('/') + 1);
  const bool same = std::all_of(cells.begin(), cells.end(),
                                [&](const Cell& c) { return c.path.starts_with(split); });
  return same ? split.substr(0, split.size() - 1) + " groups" : "groups";
}

std::string over_text(Over over, const std::vector<Cell>& cells) {
  switch (over) {
    case Over::one_seed:
      return "cannot be had from one seed";
    case Over::one_group:
      return "cannot be had from one seed where one group holds all, or all of a class";
    case Over::seeds:
      return "are Student-t over seeds";
    case Over::these_examples:
      return "are Student-t over seeds, for these examples only: one group holds all, or all of a "
             "class";
    case Over::groups:
      return fmt::format("are over {}, for new groups given these training data and this seed only",
                         groups_of(cells));
    case Over::seeds_and_groups:
      break;
  }
  return fmt::format("are over seeds and {}, for new groups given these training data",
                     groups_of(cells));
}

// "each of the pooled predictions of its folds", as far as metrics are of folds.
std::string folds_text(const std::vector<std::string>& metrics) {
  const auto tests = std::count_if(metrics.begin(), metrics.end(),
                                   [](const auto& path) { return path.starts_with("test/"); });
  std::string pooled = "each of the pooled test predictions of its folds",
              means = "each the mean over its folds";
  if (tests == 0) return means;
  return tests == std::ssize(metrics) ? pooled : pooled + ", of other splits " + means;
}

// What the intervals hold for, which the metrics of a table may have each in its own way.
std::string interval_text(const std::vector<RowOutcome>& rows,
                          const std::vector<std::string>& metrics) {
  std::map<Over, std::vector<Cell>> cells;
  for (const RowOutcome& row : rows)
    for (const std::string& path : metrics)
      if (const RowOutcome::Metric* metric = find_metric(row, path))
        cells[metric->estimate.over].push_back({row.row, path});
  const RowOutcome& first = rows.front();
  const bool folds = !first.folds.trials.empty();
  if (cells.size() > 1) cells.erase(Over::one_seed);  // n says so
  if (!folds && (cells.empty() || (cells.size() == 1 && cells.contains(Over::seeds))))
    return "Mean and 95 % Student-t interval over n seeds.";
  std::string text = "Mean over n seeds" + (folds ? ", " + folds_text(metrics) : "");
  std::string what = "; 95 % intervals";
  for (const auto& [over, some] : cells) {
    text += what + scope_text(some, cells, metrics) + " " + over_text(over, some);
    what = "; those";
  }
  text += ".";
  std::vector<std::string> shares;
  std::vector<Cell> shared;
  for (const std::string& path : metrics)
    if (const RowOutcome::Metric* metric = find_metric(first, path);
        metric && metric->estimate.group_share) {
      shares.push_back(fmt::format("{:.0f} % for {}", 100 * *metric->estimate.group_share, path));
      shared.push_back({first.row, path});
    }
  if (!shares.empty())
    text +=
        fmt::format(" Of {}'s variance {} are: {}.", first.row, groups_of(shared), join(shares));
  return text;
}

std::size_t widest_line(const std::string& text) {
  std::size_t widest = 0;
  for (const std::string_view line : split(text, '\n'))
    widest = std::max(widest, display_width(line));
  return widest;
}

// The table of all metrics, in as few blocks as fit the width; one has at least a metric.
template <class Lines>
std::string in_blocks(const std::vector<std::string>& metrics, std::size_t width,
                      const Lines& lines) {
  std::string text;
  for (auto first = metrics.begin(); first != metrics.end();) {
    auto end = first + 1;
    while (end != metrics.end() && widest_line(lines({first, end + 1})) <= width) ++end;
    text += (text.empty() ? "" : "\n") + lines({first, end});
    first = end;
  }
  return text;
}

}  // namespace

std::string closing_table(const std::vector<RowOutcome>& rows,
                          const std::vector<std::string>& metrics, std::size_t width) {
  if (rows.empty() || metrics.empty()) return {};
  std::string text = in_blocks(
      metrics, width, [&](const std::vector<std::string>& some) { return means(rows, some); });
  std::vector<std::string> diverged;
  for (const RowOutcome& row : rows)
    if (row.n_diverged > 0)
      diverged.push_back(
          fmt::format("{}: {} diverged", row.row, counted_trials(row.n_diverged, row.n_trials)));
  text += wrap(interval_text(rows, metrics), width) + "\n";
  if (!diverged.empty())
    text += wrap("Not in these means: " + join(diverged, "; ") + ".", width) + "\n";
  return text;
}

std::string fold_table(const std::vector<RowOutcome>& rows, const std::vector<std::string>& metrics,
                       std::size_t width) {
  return in_blocks(metrics, width, [&](const std::vector<std::string>& some) {
    return values_by_fold(rows, some);
  });
}

}  // namespace attune
